# Turnup::Random: random numbers whose sequence is the same on every machine,
# which rand's is not: xorshift, in 64 bits.
#
#   use Turnup::Random;
#   seed(641);               # another seed, another sequence
#   my $n = random(10);      # 0 .. 9
#   my $one = pick('a', 'b');
package Turnup::Random;
use v5.32;
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(seed random pick);

my $state;

sub seed {
    my ($seed) = @_;
    $state = 88172645463325252 ^ ($seed * 2654435761);
}

sub random {
    my ($below) = @_;
    $state ^= $state << 13;
    $state ^= $state >> 7;
    $state ^= $state << 17;
    return $state % $below;
}

sub pick { return $_[ random(scalar @_) ] }

1;
