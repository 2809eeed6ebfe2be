# FakeWorker: the other end of the request streams, in the test's own hands.
# Step by step:
#
#   my $w = FakeWorker->new($address);
#   $w->heartbeat('intake');
#   my ($request) = $w->take(1);
#   $w->reply($request->{id} => FakeWorker::frame(201, $json, %headers));
#
# or in a process of its own that answers everything with what it got:
#
#   $w->background;  ...  $w->end;
package FakeWorker;
use v5.32;
use strict;
use warnings;
use JSON::PP;
use POSIX       ();
use Process;
use Redis;
use Time::HiRes qw(time);

use constant {
    APIS         => [qw(ordering inventory catalog)],
    TAKE_SECONDS => 10,
    STEP_MS      => 50,
    COUNT        => 128,
    STOP_SECONDS => 5,
};

my $json = JSON::PP->new->canonical->utf8;

# Options: prefix, password, db.
sub new {
    my ($class, $address, %option) = @_;
    my $self = bless {
        address => $address,
        prefix  => 'turnup:',
        owner   => $$,
        taken   => [],
        %option
    }, $class;
    $self->connect;
    return $self;
}

# Also after Redis came back or was flushed.
sub connect {
    my ($self) = @_;
    $self->{redis} = Redis->connect($self->{address});
    $self->{redis}->ask('AUTH', $self->{password}) if $self->{password};
    $self->{redis}->ask('SELECT', $self->{db})     if $self->{db};
    $self->{redis}->command('XGROUP', 'CREATE', $self->stream($_), 'intake',
        0, 'MKSTREAM')
      for @{ +APIS };
}

sub stream {
    my ($self, $api) = @_;
    return "$self->{prefix}req:$api";
}

# Makes a worker of this pool appear to live for some seconds. Options:
# details (of the heartbeat), host, pid.
sub heartbeat {
    my ($self, $pool, %option) = @_;
    my $seconds = $option{seconds} // 600;
    my $member  = join ':', $pool, $option{host} // 'test',
      $option{pid} // $$;
    my %details = (
        version  => '1.0',
        pool     => $pool,
        pid      => $$,
        postgres => JSON::PP::true,
        families => {},
        counters => {},
        %{ $option{details} // {} }
    );
    my $redis = $self->{redis};
    $redis->ask('SET', "$self->{prefix}worker:$member",
        $option{text} // $json->encode(\%details),
        'PX', $seconds * 1000);
    $redis->ask('ZADD', "$self->{prefix}workers",
        int((time + $seconds) * 1000), $member);
    return $member;
}

# The heartbeat has run out, as that of a killed worker does.
sub die_out {
    my ($self, $member) = @_;
    $self->{redis}->ask('ZADD', "$self->{prefix}workers", 1, $member);
    $self->{redis}->ask('DEL',  "$self->{prefix}worker:$member");
}

# The next requests, as many as asked for; each a hash of the frame's fields.
# Dies when they do not come.
sub take {
    my ($self, $count) = @_;
    my $deadline = time + TAKE_SECONDS;
    while (@{ $self->{taken} } < $count) {
        die "no request on the streams\n" if time > $deadline;
        $self->look(STEP_MS);
    }
    return splice @{ $self->{taken} }, 0, $count;
}

# Whether the streams hold nothing more.
sub idle {
    my ($self) = @_;
    $self->look;
    return !@{ $self->{taken} };
}

# Takes what is there; waits for it so many milliseconds where given. What has
# no id is no request and stays where it is.
sub look {
    my ($self, $wait) = @_;
    my @streams = map { $self->stream($_) } @{ +APIS };
    my $reply   = $self->{redis}->ask(
        'XREADGROUP', 'GROUP', 'intake', "fake-$$",
        'COUNT', COUNT, ($wait ? ('BLOCK', $wait) : ()),
        'STREAMS', @streams, ('>') x @streams
    );
    for my $stream (@{ $reply // [] }) {
        my ($name, $entries) = @$stream;
        for my $entry (@$entries) {
            my %fields = @{ $entry->[1] };
            next if !exists $fields{id};
            push @{ $self->{taken} },
              { stream => $name, entry => $entry->[0], %fields };
            $self->{redis}->ask('XACK', $name, 'intake', $entry->[0]);
            $self->{redis}->ask('XDEL', $name, $entry->[0]);
        }
    }
}

# A reply frame.
sub frame {
    my ($status, $body, %headers) = @_;
    return join '', "$status\n", (map { "$_: $headers{$_}\n" } sort keys
          %headers), "\n", $body // '';
}

# All pairs of request => text in one entry of the first one's reply stream.
sub reply {
    my ($self, $request, @pairs) = @_;
    my $stream = ref $request ? $request->{'reply-to'} : $request;
    return $self->{redis}->ask('XADD', $stream, '*', @pairs);
}

# Answers one request taken.
sub answer {
    my ($self, $request, $status, $body, %headers) = @_;
    $self->reply($request, $request->{id} => frame($status, $body, %headers));
}

# What background answers: everything it got, but for the body's own JSON.
sub echo {
    my ($request) = @_;
    my %seen = %$request;
    delete $seen{body} if length($seen{body} // '') > 4096;
    my $status =
        $request->{method} eq 'POST'   ? 201
      : $request->{method} eq 'DELETE' ? 204
      :                                  200;
    return frame($status, $status == 204 ? '' : $json->encode(\%seen));
}

# A process that answers every request with echo, replies packed.
sub background {
    my ($self) = @_;
    $self->{child} = fork() // die "fork: $!\n";
    return if $self->{child};
    $SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
    eval { $self->connect; $self->serve; 1 } or print STDERR "worker: $@";
    POSIX::_exit(1);
}

sub serve {
    my ($self) = @_;
    while (1) {
        $self->look(STEP_MS);
        my %pairs;
        push @{ $pairs{ $_->{'reply-to'} } }, $_->{id}, echo($_)
          for splice @{ $self->{taken} };
        $self->{redis}->ask('XADD', $_, 'MAXLEN', '~', 1000, '*',
            @{ $pairs{$_} })
          for keys %pairs;
    }
}

sub end {
    my ($self) = @_;
    my $pid = delete $self->{child} // return;
    kill TERM => $pid;
    wait_until(STOP_SECONDS, sub { gone($pid) }) or kill KILL => $pid;
    waitpid $pid, 0;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    $self->end if $$ == $self->{owner};
}

1;
