# Turnup::Port: TCP ports of 127.0.0.1 for servers that a test starts. A port
# is reserved by the UDP port of the same number for as long as the object
# lives, so that tests running side by side never choose the same one. Taken
# from below the ports that the kernel gives to outgoing connections.
package Turnup::Port;
use v5.32;
use strict;
use warnings;
use IO::Socket::INET;

use constant { FIRST => 20_000, COUNT => 12_000, TRIES => 500 };

sub reserve {
    my ($class) = @_;
    for (1 .. TRIES) {
        my $number = FIRST + int rand COUNT;
        my %at     = (LocalAddr => '127.0.0.1', LocalPort => $number);
        my $hold   = IO::Socket::INET->new(%at, Proto => 'udp') or next;
        IO::Socket::INET->new(%at, Listen => 1, ReuseAddr => 1) or next;
        return bless { number => $number, hold => $hold }, $class;
    }
    die "no free port\n";
}

sub number { return $_[0]{number} }

1;
