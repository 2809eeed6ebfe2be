# Redis: a client for tests, over a Unix socket or TCP. RESP2, pipelining,
# blocking reads with a deadline. An error reply is an object of
# Redis::Error; what goes wrong with the connection dies.
package Redis;
use v5.32;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

use constant { REPLY_SECONDS => 10, READ_SIZE => 65536 };

# address: "unix:/path" or "host:port".
sub connect {
    my ($class, $address) = @_;
    my $socket =
      $address =~ /^unix:(.*)/
      ? IO::Socket::UNIX->new(Peer => $1)
      : IO::Socket::INET->new(PeerAddr => $address);
    $socket or die "redis $address: $!\n";
    return bless { socket => $socket, in => '' }, $class;
}

# One command, its reply.
sub command {
    my ($self, @words) = @_;
    $self->send(@words);
    return $self->reply;
}

# As command, but an error reply dies.
sub ask {
    my ($self, @words) = @_;
    my $reply = $self->command(@words);
    die "redis @words: $$reply\n" if ref $reply eq 'Redis::Error';
    return $reply;
}

# Without waiting: call reply once for each command sent.
sub send {
    my ($self, @words) = @_;
    my $out = '*' . @words . "\r\n"
      . join '', map { '$' . length($_) . "\r\n$_\r\n" } @words;
    local $SIG{PIPE} = 'IGNORE';
    print { $self->{socket} } $out or die "redis: $!\n";
    $self->{socket}->flush;
}

sub reply {
    my ($self, $seconds) = @_;
    $self->{deadline} = time + ($seconds // REPLY_SECONDS);
    return $self->value;
}

sub value {
    my ($self) = @_;
    my $line = $self->line;
    my ($mark, $rest) = (substr($line, 0, 1), substr $line, 1);
    return $rest                      if $mark eq '+' || $mark eq ':';
    return bless \$rest, 'Redis::Error' if $mark eq '-';
    return if $rest < 0;
    return $self->bytes($rest) if $mark eq '$';
    return [ map { scalar $self->value } 1 .. $rest ] if $mark eq '*';
    die "redis: not RESP: $line\n";
}

sub line {
    my ($self) = @_;
    $self->more while index($self->{in}, "\r\n") < 0;
    my $line = substr $self->{in}, 0, index($self->{in}, "\r\n"), '';
    substr $self->{in}, 0, 2, '';
    return $line;
}

sub bytes {
    my ($self, $count) = @_;
    $self->more while length $self->{in} < $count + 2;
    my $bytes = substr $self->{in}, 0, $count, '';
    substr $self->{in}, 0, 2, '';
    return $bytes;
}

sub more {
    my ($self) = @_;
    my $rest = $self->{deadline} - time;
    $rest > 0 && IO::Select->new($self->{socket})->can_read($rest)
      or die "redis: no reply in time\n";
    sysread $self->{socket}, $self->{in}, READ_SIZE, length $self->{in}
      or die "redis: connection closed\n";
}

1;
