# conf/stack: starts and stops once and again, brings back what dies, takes
# over from a killed supervisor, keeps the data, and runs where paths are long.
use v5.32;
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;
use Turnup;
use Process;

my @servers = qw(postgres redis sim turnupd nginx);

my $t = Turnup->start;
is($t->get('/health')->{status}, 200, 'healthy when up returns');
my %pid = map { $_ => scalar $t->pid_of($_) } @servers;
ok($t->stack('up'), 'up while up is no error');
is_deeply({ map { $_ => scalar $t->pid_of($_) } @servers },
    \%pid, 'and changes nothing');
ok($t->stack('status'), 'status says well');
ok(!$t->stack('run'),   'no second supervisor in one home');

for my $server (@servers) {
    my $old = $t->kill9($server);
    $t->wait_for(
        15,
        sub { ($t->pid_of($server) // $old) != $old },
        "$server is started again"
    );
}
$t->wait_for(30, \&well, 'healthy after all that');

# A killed supervisor leaves the servers; the next one has to end them first.
$t->sql('create table kept as select 42 as number');
%pid = map { $_ => scalar $t->pid_of($_) } @servers;
my ($supervisor) = read_file($t->home . '/stack.pid') =~ /(\d+)/;
$t->kill9($supervisor);
ok(!$t->stack('status'), 'status says that nobody supervises');
ok(!gone($pid{redis}),   'the servers run on');
ok($t->stack('up'),      'up takes over');
is(join(' ', grep { !gone($pid{$_}) } @servers), '', 'no old server is left');
is($t->sql('select number from kept'),           42, 'the data are there');

# And `down` alone cleans up as well.
($supervisor) = read_file($t->home . '/stack.pid') =~ /(\d+)/;
$t->kill9($supervisor);
%pid = map { $_ => scalar $t->pid_of($_) } @servers;
ok($t->stack('down'), 'down without a supervisor');
is(join(' ', grep { !gone($pid{$_}) } @servers), '', 'everything has ended');
ok($t->stack('down'), 'down while down is no error');

# postmaster.pid of a crash, its number taken by another program since.
write_file($t->home . '/postgres/postmaster.pid',
    "$$\n" . $t->home . "/postgres\n1\n5432\n\n\n0 0\n");
ok($t->stack('up'), 'a stale postmaster.pid is no obstacle');
is($t->sql('select number from kept'), 42, 'the data are still there');

# Beside it: another one, in a home whose sockets would have too long names.
my $far  = tempdir('turnup-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $long = Turnup->start(home => "$far/" . 'long ' x 20);
is($long->get('/health')->{status}, 200, 'a long home with blanks');
isnt($long->pid_of('redis'), $t->pid_of('redis'), 'side by side');
my $sockets = $long->sockets;
like($sockets, qr{^/tmp/turnup-\w+$}, 'has its sockets under /tmp');
is($long->redis('PING'), 'PONG', 'which are in use');
$long->stop;
ok(!-e $sockets, 'and are removed in the end');

# The port is taken: said at once, nothing left running.
{
    local $long->{port} = $t->{port};
    ok(!$long->stack('up'), 'a taken port is an error');
    like(join('', $long->log_lines('stack')),
        qr/TURNUP_PORT/, 'that names the setting');
    ok(!$long->pid_of('postgres'), 'nothing runs');
}
ok($t->get('/health')->{status} == 200, 'the first one does not notice');
$t->stop;
done_testing;

# What /health knows of PostgreSQL is a heartbeat old.
sub well {
    return $t->get('/health')->{status} == 200
        && eval { $t->sql('select 1') };
}
