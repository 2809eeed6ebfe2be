# RedisServer: a private redis-server on a Unix socket, nothing on disk.
package RedisServer;
use v5.32;
use strict;
use warnings;
use Process;
use Redis;

use constant { START_SECONDS => 10, STOP_SECONDS => 10 };

# options: more of redis-server's, as "--name value" pairs.
sub start {
    my ($class, $dir, @options) = @_;
    my $self = bless {
        dir     => $dir,
        address => "unix:$dir/redis.sock",
        options => \@options,
        owner   => $$,
    }, $class;
    return $self->run;
}

sub run {
    my ($self) = @_;
    my $dir = $self->{dir};
    $self->{pid} = spawn(
        "$dir/redis.log", {}, 'redis-server', '--port', 0,
        '--unixsocket', "$dir/redis.sock", '--save', '', '--appendonly',
        'no', '--dir', $dir, @{ $self->{options} }
    );
    wait_until(START_SECONDS, sub { eval { $self->client } })
      or die "redis-server does not start\n";
    return $self;
}

sub address { return $_[0]{address} }

sub client {
    my ($self) = @_;
    my $client = Redis->connect($self->{address});
    my ($password) =
      map { $self->{options}[ $_ + 1 ] }
      grep { $self->{options}[$_] eq '--requirepass' }
      0 .. $#{ $self->{options} };
    $client->ask('AUTH', $password) if defined $password;
    $client->ask('PING');
    return $client;
}

sub kill9 {
    my ($self) = @_;
    $self->end('KILL');
}

sub freeze { kill STOP => $_[0]{pid} }
sub thaw   { kill CONT => $_[0]{pid} }

sub stop {
    my ($self) = @_;
    $self->thaw if $self->{pid};
    $self->end('TERM');
}

sub end {
    my ($self, $signal) = @_;
    my $pid = $self->{pid} // return;
    kill $signal => $pid;
    wait_until(STOP_SECONDS, sub { gone($pid) }) or kill KILL => $pid;
    waitpid $pid, 0;
    delete $self->{pid};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop if $$ == $self->{owner};
}

1;
