# kill -9 of any one of turnup's own processes in the middle of 500 running
# orders, while more are posted: every order completes, by itself, and every
# step is done just once.
use v5.32;
use strict;
use warnings;
use Test::More;
use Turnup::Faults;

my $faults = Turnup::Faults->start;
$faults->round($_, sub { $faults->kill9($_) }, $_ eq 'notify')
    for qw(intake family:internet-access family:voip keeper nginx-worker
    notify turnupd);
$faults->stop;
done_testing;
