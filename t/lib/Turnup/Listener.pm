# Turnup::Listener: an HTTP server that receives notifications, in a process of
# its own. It writes down every request in the order of arrival and answers
# as it has been told; the test reads the record back.
package Turnup::Listener;
use v5.32;
use strict;
use warnings;
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX       ();
use Time::HiRes qw(time);
use Process;

use constant { BACKLOG => 512, REQUEST_MAX => 1 << 22, LOOK_SECONDS => 1 };

my $json = JSON::PP->new->utf8->canonical;

sub start {
    my ($class) = @_;
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        Listen    => BACKLOG,
        ReuseAddr => 1
    ) or die "listener: $!\n";
    my $dir  = tempdir('turnup-listener-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless {
        port   => $socket->sockport,
        dir    => $dir,
        parent => $$
    }, $class;
    $self->answer(204);
    $self->{pid} = fork() // die "listener: fork: $!\n";
    return $self if $self->{pid};
    $SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
    $SIG{PIPE} = 'IGNORE';
    eval { $self->serve($socket) };
    print STDERR "listener: $@" if $@;
    POSIX::_exit(1);
}

sub url { return "http://127.0.0.1:$_[0]{port}/listener" }

# From now on every request gets this status and these headers, and the text
# of ':body'; or 'hang' (no answer, the connection stays open) or 'drop' (it is
# closed).
sub answer {
    my ($self, $what, %headers) = @_;
    my $text = $json->encode({ what => $what, headers => \%headers });
    write_file("$self->{dir}/answer.new", $text);
    rename "$self->{dir}/answer.new", "$self->{dir}/answer"
        or die "listener: $!\n";
}

# All requests: {time, method, path, headers, text, body (text, decoded where
# it is JSON), answer}.
sub attempts {
    my ($self) = @_;
    my $record = read_file("$self->{dir}/record") // '';
    my @all = map { $json->decode($_) } grep { /\}\n\z/ } split /^/, $record;
    $_->{body} = eval { $json->decode($_->{text}) } // $_->{text} for @all;
    return @all;
}

# The bodies of those that were answered 2xx.
sub events {
    my ($self) = @_;
    return map { $_->{body} } grep { $_->{answer} =~ /^2/ } $self->attempts;
}

sub forget {
    my ($self) = @_;
    truncate "$self->{dir}/record", 0;
}

sub stop {
    my ($self) = @_;
    return if !$self->{pid} || $self->{parent} != $$;
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

sub DESTROY {
    local ($?, $!, $@);
    $_[0]->stop;
}

# The child: one loop over all connections, until its parent is gone.
sub serve {
    my ($self, $socket) = @_;
    my $select = IO::Select->new($socket);
    my %buffer;
    open my $record, '>>', "$self->{dir}/record" or die "$!\n";
    $record->autoflush(1);
    while (getppid == $self->{parent}) {
        for my $ready ($select->can_read(LOOK_SECONDS)) {
            if ($ready == $socket) {
                $select->add($socket->accept // next);
                next;
            }
            my $buffer = \$buffer{ fileno $ready };
            my $open   = sysread $ready, $$buffer, 65536,
                length($$buffer //= '');
            while ($open && (my $request = request($buffer))) {
                $open = $self->reply($ready, $record, $request);
            }
            next if $open && length $$buffer < REQUEST_MAX;
            delete $buffer{ fileno $ready };
            $select->remove($ready);
            close $ready;
        }
    }
}

# Takes one whole request out of the buffer, when there is one.
sub request {
    my ($buffer) = @_;
    my $end      = index $$buffer, "\r\n\r\n";
    return if $end < 0;
    my ($first, @lines) = split /\r\n/, substr $$buffer, 0, $end;
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
    my $length  = $headers{'content-length'} // 0;
    return if length $$buffer < $end + 4 + $length;
    my $text = substr $$buffer, $end + 4, $length;
    substr $$buffer, 0, $end + 4 + $length, '';
    my ($method, $path) = split ' ', $first;
    return {
        method  => $method,
        path    => $path,
        headers => \%headers,
        text    => $text,
    };
}

# Writes it down and answers; false when the connection has to be closed.
sub reply {
    my ($self, $connection, $record, $request) = @_;
    my $rule   = $json->decode(read_file("$self->{dir}/answer"));
    my $status = $rule->{what};
    print $record $json->encode(
        { %$request, time => time, answer => "$status" }), "\n";
    return 1 if $status eq 'hang';
    return 0 if $status eq 'drop';
    my $body = delete $rule->{headers}{':body'} // '';
    my $head = "HTTP/1.1 $status Told so\r\n";
    $head .= "$_: $rule->{headers}{$_}\r\n"
        for sort keys %{ $rule->{headers} };
    $head .= 'Content-Length: ' . length($body) . "\r\n" if $status != 204;
    return defined syswrite $connection, "$head\r\n$body";
}

1;
