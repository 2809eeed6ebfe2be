# The servers below: Redis flushed and killed, PostgreSQL killed as a whole
# and by one of its processes, in the middle of 500 running orders, while more
# are posted: within ten seconds all goes on, every order completes, by itself,
# and every step is done just once. And whoever dies between an order and a
# listener, it is told everything.
use v5.32;
use strict;
use warnings;
use Test::More;
use Turnup::Faults;

my $faults = Turnup::Faults->start;
my $t      = $faults->turnup;

$faults->round(
    'FLUSHALL',
    sub { is($t->redis('FLUSHALL'), 'OK', 'Redis is flushed') }
);
$faults->round('notify', sub { $faults->kill9('notify') }, 'told');
$faults->round('redis',  sub { $faults->kill9('redis') }, 'told');
$faults->round(
    'one backend',
    sub {
        my ($pid) = $t->sql(<<~'SQL');
        select pid from pg_stat_activity where application_name = 'turnup'
          order by query like 'INSERT INTO activation_journal%' desc,
            state_change desc
        SQL
        $t->kill9($pid);
        pass("backend $pid killed");
    }
);
$faults->round('postgres', sub { $faults->kill9('postgres') }, 'told');
$faults->stop;
done_testing;
