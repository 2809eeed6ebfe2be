# turnupd as a program: its checks, its settings, what it tells systemd, its
# log, and a stop that drains.
use v5.32;
use strict;
use warnings;
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use File::Temp     qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Turnup;
use Api;

use constant TRACE => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

my $root    = dirname(dirname(abs_path(__FILE__)));
my $build   = $ENV{TURNUP_BUILD} // "$root/build/release";
my $turnupd = "$build/turnupd";
my $dir     = tempdir('turnup-daemon-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub file {
    my ($name, $text) = @_;
    open my $out, '>', "$dir/$name" or die "$name: $!\n";
    print {$out} $text;
    close $out;
    return "$dir/$name";
}

sub run {
    my (@args) = @_;
    my $out = qx{$turnupd @args 2>&1};
    return ($? >> 8, $out);
}

subtest 'turnupd check' => sub {
    my ($code, $out) = run('check', glob "$root/conf/families/*.json");
    is($code, 0, 'the families that come with it are fine') or diag($out);
    like($out, qr/internet-access version \S+ hash [0-9a-f]{16}/, 'named');

    my $bad = file('bad.json', <<'END');
{
  "family": "bad", "version": "1",
  "specifications": [ { "id": "Bad", "version": "1" } ],
  "targets": { "t": { "url": "http://127.0.0.1:1" } },
  "machines": { "add": [
    { "state": "one", "deadline": "1m",
      "call": { "target": "nobody", "method": "PUT", "path": "/x" } } ] }
}
END
    ($code, $out) = run('check', $bad);
    is($code, 1, 'a broken one is refused');
    like($out, qr/^\Q$bad\E:7: .*nobody/m, 'with file, line and reason');
    ($code, $out) = run('check', "$dir/none.json");
    is($code, 1, 'one that is not there too');
};

subtest 'settings' => sub {
    my $conf = file('turnup.conf', "[turnup]\nlog_level = loud\n");
    my ($code, $out) = run('-c', $conf);
    is($code, 2, 'refused');
    like($out, qr/\Q$conf\E:2: /, 'with file and line');
    ($code, $out) = run('-c', "$dir/none.conf");
    is($code, 2, 'a file that is not there');
    ($code, $out) = run();
    is($code, 2, 'no arguments');
    like($out, qr/^usage:/, 'say how it is used');
};

# Nothing to connect to: the supervisor and its pools live all the same.
subtest 'systemd' => sub {
    my $socket = IO::Socket::UNIX->new(
        Type  => SOCK_DGRAM,
        Local => "$dir/notify"
    ) or die "notify: $!\n";
    my $conf = file('alone.conf', <<"END");
[turnup]
redis = unix:$dir/no-redis
postgres = host=$dir dbname=none
families = $root/conf/families
END
    my $said = sub {
        IO::Select->new($socket)->can_read(30) or return '';
        $socket->recv(my $text, 4096);
        return $text;
    };
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $ENV{NOTIFY_SOCKET} = "$dir/notify";
        open STDERR, '>', "$dir/alone.log";
        exec $turnupd, '-c', $conf or exit 127;
    }
    like($said->(), qr/^READY=1/m, 'ready');
    kill TERM => $pid;
    like($said->(), qr/^STOPPING=1/m, 'stopping');
    waitpid $pid, 0;
    is($?, 0, 'a clean end');
    open my $log, '<', "$dir/alone.log" or die "$!\n";
    my @broken = grep { !eval { decode_json($_); 1 } } <$log>;
    is_deeply(\@broken, [], 'every line of its log is JSON');
};

my $t = Turnup->start(families => quick_families());

subtest 'traceparent' => sub {
    my $listener = $t->listener;
    subscribe($t, ORDERS, $listener,
        query => 'eventType=ServiceOrderStateChangeEvent');
    rule(
        $t,
        target => 'sbc',
        method => 'PUT',
        action => { status => 422, body => { why => 'no' } }
    );
    my $reply = $t->post(ORDERS,
        { serviceOrderItem => [voip('1')] },
        { traceparent => TRACE });
    my $order = $reply->{json};
    ends($t, $order->{id}, 'failed');
    $t->wait_for(30, sub { $listener->events >= 2 }, 'two events');
    is_deeply([map { $_->{correlationId} } $listener->events],
        [(TRACE) x 2], 'is the correlation id of the events');
    my ($line) = grep { /\Q$order->{id}\E/ } $t->log_lines('turnupd');
    is(decode_json($line)->{traceparent}, TRACE, 'and stands in the log');
    $t->sim('DELETE', '/_rules');
    $listener->stop;
};

# The answer of a call under way is waited for and stored; nobody calls again.
subtest 'a clean stop drains' => sub {
    rule(
        $t,
        target => 'bng',
        method => 'PUT',
        action => { delayMs => 1500 }
    );
    my $order   = ordered($t, internet('1'));
    my $service = $order->{serviceOrderItem}[0]{service}{id};
    my $path    = "/bng/subscriber/$service";
    $t->wait_for(30, sub { counts_of($t, $path) eq 'PUT=1/1' }, 'called');
    my ($pid) = $t->pid_of('family:internet-access');
    kill TERM => $pid;
    $t->wait_for(30, sub { !kill 0 => $pid }, 'the worker ends');
    ends($t, $order->{id}, 'completed');
    is(counts_of($t, $path), 'PUT=1/1', 'and nothing was called twice');
};

# However it came about: a row that says "mine" to a worker which does not have
# it in memory must not wait for ever.
subtest 'what a worker owns and forgot' => sub {
    my $reply = post_order($t, [voip('1')],
        requestedStartDate => '2099-01-01T00:00:00.000Z');
    my $id = $reply->{json}{id};
    is($reply->{json}{state}, 'acknowledged', 'an order for later');
    $t->sql("update activation set due_at = null, owner ="
            . " (select slot from worker where slot like 'family:voip:%')"
            . " where order_id = '$id'");
    ends($t, $id, 'completed', 'is taken up');
};

$t->stop;
done_testing;
