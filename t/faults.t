# kill -9 of any one of turnup's own processes in the middle of 500 running
# orders, while more are posted: within ten seconds all goes on, every order
# completes, by itself, and every step is done just once.
use v5.32;
use strict;
use warnings;
use Test::More;
use Turnup::Faults;

my $faults = Turnup::Faults->start;
for my $victim (
    qw(intake family:internet-access family:voip keeper nginx-worker turnupd))
{
    $faults->round($victim, sub { $faults->kill9($victim) });
}
$faults->stop;
done_testing;
