# RawHttp: one HTTP/1.1 connection, byte by byte: requests may be sent in
# pieces, several at once, or left without reading the answer.
package RawHttp;
use v5.32;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(time);

use constant { ANSWER_SECONDS => 30, READ_SIZE => 65536 };

my $json = JSON::PP->new->utf8->allow_nonref;

sub connect {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port
    ) or die "port $port: $!\n";
    return bless { socket => $socket, in => '', heads => [] }, $class;
}

# Bytes as they are.
sub write {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    $self->{deadline} = time + ANSWER_SECONDS;
    print { $self->{socket} } $bytes;
    $self->{socket}->flush;
}

# One request; headers as pairs, Host and Content-Length are added where they
# are missing; a header of undef is left out.
sub send {
    my ($self, $method, $path, $body, @headers) = @_;
    $self->write(request($method, $path, $body, @headers));
    push @{ $self->{heads} }, $method eq 'HEAD';
    return $self;
}

sub request {
    my ($method, $path, $body, @headers) = @_;
    my (%given, $lines);
    $lines = '';
    while (my ($name, $value) = splice @headers, 0, 2) {
        $given{ lc $name } = 1;
        $lines .= "$name: $value\r\n" if defined $value;
    }
    $lines .= "Host: localhost\r\n" if !$given{host};
    $lines .= 'Content-Length: ' . length($body) . "\r\n"
      if defined $body
      && !$given{'content-length'}
      && !$given{'transfer-encoding'};
    $lines .= "Content-Type: application/json\r\n"
      if defined $body && !$given{'content-type'};
    return "$method $path HTTP/1.1\r\n$lines\r\n" . ($body // '');
}

# The next answer: status, headers (hash, lower-case names, repeated ones
# joined), body, json (when it is one).
sub answer {
    my ($self, $seconds) = @_;
    $self->{deadline} = time + ($seconds // ANSWER_SECONDS);
    my $head = $self->until("\r\n\r\n");
    my ($line, @lines) = split /\r\n/, $head;
    my ($status) = $line =~ m{^HTTP/1\.1 (\d{3})} or die "not HTTP: $line\n";
    my %headers;
    for (@lines) {
        my ($name, $value) = /^([^:]+): ?(.*)$/ or die "not a header: $_\n";
        $name = lc $name;
        $headers{$name} =
          exists $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    my $head_only = shift @{ $self->{heads} } // 0;
    my $body      = '';
    if ($head_only || $status == 204) { }
    elsif (($headers{'transfer-encoding'} // '') eq 'chunked') {
        $body = $self->chunks;
    }
    elsif (defined $headers{'content-length'}) {
        $body = $self->bytes($headers{'content-length'});
    }
    return {
        status  => $status,
        headers => \%headers,
        body    => $body,
        json    => scalar eval { $json->decode($body) },
    };
}

sub chunks {
    my ($self) = @_;
    my $body = '';
    while (my $size = hex $self->until("\r\n")) {
        $body .= $self->bytes($size);
        $self->bytes(2);
    }
    $self->until("\r\n");
    return $body;
}

sub until {
    my ($self, $mark) = @_;
    $self->more while index($self->{in}, $mark) < 0;
    my $text = substr $self->{in}, 0, index($self->{in}, $mark), '';
    substr $self->{in}, 0, length $mark, '';
    return $text;
}

sub bytes {
    my ($self, $count) = @_;
    $self->more while length $self->{in} < $count;
    return substr $self->{in}, 0, $count, '';
}

sub more {
    my ($self) = @_;
    my $rest = $self->{deadline} - time;
    $rest > 0 && IO::Select->new($self->{socket})->can_read($rest)
      or die "no answer in time\n";
    sysread $self->{socket}, $self->{in}, READ_SIZE, length $self->{in}
      or die "connection closed\n";
}

sub close { close $_[0]{socket} }

1;
