#!/usr/bin/perl
# turnup-load from outside: post and get against turnup-sim, life against a
# small ordering API of our own that can misbehave.
use strict;
use warnings;

use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;

my $build = $ENV{TURNUP_BUILD} // 'build/release';
my $load = "$build/turnup-load";
my $json = JSON::PP->new->canonical;
my $dir = tempdir(CLEANUP => 1);
my %children;

$SIG{ALRM} = sub { die "the test took too long\n" };
alarm 120;

-x $_ or BAIL_OUT("$_ is missing: run make") for $load, "$build/turnup-sim";

END {
    my $status = $?;
    for my $pid (keys %children) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}

sub end_child {
    my ($pid) = @_;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    delete $children{$pid};
}

# Runs turnup-load; its exit code, its line of JSON and what it said.
sub run_load {
    my (@arguments) = @_;
    my $out = `$load @arguments 2>$dir/stderr`;
    my $code = $? >> 8;
    open my $f, '<', "$dir/stderr" or die "stderr: $!";
    my $said = do { local $/; <$f> };
    unlike($said, qr/Sanitizer|runtime error/, 'no sanitizer report');
    return ($code, scalar eval { $json->decode($out) }, $said);
}

# The ordering API: answers orders with 201 and sends what $script says, a
# list of states for order number n; "reply" in it stands for the 201.
sub start_api {
    my ($script) = @_;
    my $server = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1:0',
        Listen => 64,
        ReuseAddr => 1
    ) or die "listen: $!";
    my $pid = fork() // die "fork: $!";
    if ($pid) {
        $children{$pid} = 1;
        return ($pid, 'http://127.0.0.1:' . $server->sockport);
    }
    $SIG{TERM} = sub { POSIX::_exit(0) };
    alarm 60;
    serve_api($server, $script);
}

sub serve_api {
    my ($server, $script) = @_;
    my $select = IO::Select->new($server);
    my $http = HTTP::Tiny->new(timeout => 5);
    my (%in, $callback);
    my $orders = 0;

    my $answer = sub {
        my ($s, $status, $body) = @_;
        my $length = length $body;
        print {$s} "HTTP/1.1 $status X\r\n"
            . ($status == 204 ? "\r\n"
                : "Content-Length: $length\r\n\r\n$body");
        $s->flush;
    };
    my $order = sub {
        my ($s, $body) = @_;
        my $n = $orders++;
        my $full = $json->encode({ %$body, id => "order-$n",
            state => 'acknowledged' });
        for my $step ($script->($n)) {
            if ($step eq 'reply') {
                $answer->($s, 201, $full);
            } elsif ($step =~ /^\d+$/) {
                $answer->($s, $step, '{"code":"x"}');
            } else {
                # Members in an unkind order, decoys among them.
                my $event = $step eq 'nonsense' ? '{"event":[]}' : sprintf
                    '{"eventId":"e","id":"decoy","state":"completed",'
                    . '"eventType":"ServiceOrderStateChangeEvent","event":'
                    . '{"x":{"serviceOrder":{"id":"decoy"}},"serviceOrder":'
                    . '{"serviceOrderItem":[{"id":"1","state":"failed"}],'
                    . '"externalId":"}{\\"","state":"%s","id":"%s"}}}',
                    $step =~ s/^foreign-//r,
                    $step =~ /^foreign-/ ? "other-$n" : "order-$n";
                $http->post($callback, { content => $event });
            }
        }
    };
    while (1) {
        for my $s ($select->can_read) {
            if ($s == $server) {
                $select->add(scalar $server->accept);
                next;
            }
            if (!sysread $s, $in{$s}, 65536, length($in{$s} // '')) {
                $select->remove($s);
                delete $in{$s};
                next;
            }
            $in{$s} =~ /^(\w+) (\S+) .*?\r\n\r\n/s or next;
            my ($method, $path, $head) = ($1, $2, $+[0]);
            my $length = $in{$s} =~ /^Content-Length: (\d+)/mi ? $1 : 0;
            next if length $in{$s} < $head + $length;
            my $body = $length
                ? $json->decode(substr $in{$s}, $head, $length) : {};
            $in{$s} = '';
            if ($path eq '/pre/tmf-api/serviceOrdering/v4/hub') {
                $callback = $body->{callback};
                my $known = $body->{query}
                    eq 'eventType=ServiceOrderStateChangeEvent';
                $answer->($s, $known ? 201 : 400, '{"id":"hub 1"}');
            } elsif ($method eq 'DELETE') {
                $answer->($s, $path =~ m{/hub/hub%201$} ? 204 : 404, '{}');
            } elsif ($path eq '/pre/tmf-api/serviceOrdering/v4/serviceOrder') {
                $order->($s, $body);
            } else {
                $answer->($s, 404, '{}');
            }
        }
    }
}

sub life {
    my ($script, @options) = @_;
    my ($pid, $url) = start_api($script);
    my @result = run_load('life', '--url', "$url/pre", '--seconds', '0.5',
        '--connections', 8, '--window', 20, '--drain', 20, @options);
    end_child($pid);
    return @result;
}

subtest 'command line' => sub {
    my ($code) = run_load('--help');
    is($code, 0, '--help');
    like(`$load life --help`, qr/--window/, 'of a command too');
    my $url = '--url http://127.0.0.1:1';
    for my $bad ('', 'other', 'post', "get $url", "life $url --window 0",
        "post $url --seconds x", "post $url --seconds 1e999",
        "post $url --connections 1.5", "post $url --rate 5", "post $url more",
        'post --url https://127.0.0.1', 'post --url http://example.com',
        "post $url --body $dir/none", "get $url --ids $dir/none",
        "life $url --listen 99999", "post $url --nonsense")
    {
        my ($exit, undef, $said) = run_load($bad);
        is($exit, 2, "refused: '$bad'");
        ok(length $said, 'and says why');
    }
};

subtest 'nobody there' => sub {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:0', Listen => 1);
    my $url = 'http://127.0.0.1:' . $s->sockport;
    close $s;
    my ($code, $r) = run_load('post', '--url', $url, '--seconds', '0.1',
        '--connections', 2);
    is($code, 2, 'post: an exit code');
    is($r->{ok}, 0, 'nothing went well');
    cmp_ok($r->{errors}{connection}, '>=', 2, 'errors are counted');
    ($code, $r) = run_load('life', '--url', $url);
    is($code, 2, 'life: an exit code');
    is($r, undef, 'no result');
};

subtest 'post and get' => sub {
    my $pid = open my $sim, '-|', "$build/turnup-sim", '--port', 0
        or die "turnup-sim: $!";
    $children{$pid} = 1;
    my ($url) = map { "http://$_" } <$sim> =~ /listening on (\S+)/;
    open my $f, '>', "$dir/body" or die "body: $!";
    print {$f} '{"externalId":"x-{{n}}","again":{{n}}}';
    close $f;
    my ($code, $r) = run_load('post', '--url', $url, '--seconds', '0.05',
        '--connections', 4, '--body', "$dir/body", '--ids', "$dir/ids");
    is($code, 0, 'post');
    is($r->{mode}, 'post', 'says so');
    is_deeply($r->{errors}, {}, 'no errors');
    cmp_ok($r->{ok}, '>', 8, 'orders');
    cmp_ok($r->{perSecond}, '>', 0, 'a rate');
    cmp_ok($r->{p99ms}, '>=', $r->{p50ms}, 'percentiles');
    my $http = HTTP::Tiny->new;
    my $state = $json->decode($http->get("$url/_state")->{content});
    is(scalar keys %$state, $r->{ok}, 'all of them were posted');
    my %numbers = map { $_->{again} => $_->{externalId} } values %$state;
    is(scalar keys %numbers, $r->{ok}, 'each with its own number');
    is(scalar(grep { $numbers{$_} ne "x-$_" } keys %numbers), 0,
        'the same in every place');
    open $f, '<', "$dir/ids" or die "ids: $!";
    chomp(my @ids = <$f>);
    is_deeply([ sort @ids ], [ sort map { $_->{id} } values %$state ],
        'ids are written');

    ($code, $r) = run_load('get', '--url', $url, '--seconds', '0.2',
        '--connections', 4, '--ids', "$dir/ids");
    is($code, 0, 'get');
    cmp_ok($r->{ok}, '>', 4, 'reads');
    is_deeply($r->{errors}, {}, 'no errors');
    my $rule = { method => 'GET', times => 3, action => { status => 503 } };
    $http->post("$url/_rules", { content => $json->encode($rule) });
    ($code, $r) = run_load('get', '--url', "$url/", '--seconds', '0.2',
        '--connections', 4, '--ids', "$dir/ids");
    is_deeply($r->{errors}, { 503 => 3 }, 'errors by status');
    $rule = { times => 2, action => { drop => \1 } };
    $http->post("$url/_rules", { content => $json->encode($rule) });
    ($code, $r) = run_load('post', '--url', $url, '--seconds', '0.05',
        '--connections', 4);
    is_deeply($r->{errors}, { connection => 2 }, 'and lost connections');
    $state = $json->decode($http->get("$url/_state")->{content});
    my ($order) = grep { ($_->{externalId} // '') =~ /^bench-/ }
        values %$state;
    is($order->{serviceOrderItem}[0]{service}{serviceSpecification}{id},
        'Bench.Service', 'the built-in order');
    my $text = $json->encode($order);
    cmp_ok(length $text, '>', 1000, 'of the size');
    cmp_ok(length $text, '<', 1400, 'it should have');
    end_child($pid);
};

subtest 'life: all is well' => sub {
    my ($code, $r, $said) = life(sub { qw(reply inProgress completed) });
    is($code, 0, 'exit code') or diag($said);
    is($said, '', 'nothing to complain of');
    is($r->{mode}, 'life', 'says so');
    cmp_ok($r->{accepted}, '>', 20, 'orders');
    is($r->{completed}, $r->{accepted}, 'all completed');
    is($r->{notifications}, 2 * $r->{accepted}, 'two notifications each');
    is($r->{$_}, 0, "$_") for qw(failed missing foreign outOfOrder);
    cmp_ok($r->{completedPerSecond}, '>', 0, 'a rate');
    cmp_ok($r->{p50ms}, '>', 0, 'a latency');
};

subtest 'life: notified before the answer' => sub {
    my ($code, $r) = life(sub { qw(inProgress completed reply) });
    is($code, 0, 'exit code');
    is($r->{completed}, $r->{accepted}, 'all completed');
    is($r->{foreign}, 0, 'all are ours');
};

subtest 'life: what goes wrong is seen' => sub {
    my ($code, $r) = life(sub {
        return $_[0] % 7 == 3 ? qw(reply failed) : qw(reply completed);
    });
    is($code, 1, 'a failed order');
    cmp_ok($r->{failed}, '>', 0, 'is counted');
    is($r->{failed} + $r->{completed}, $r->{accepted}, 'none is missing');

    ($code, $r) = life(sub {
        return $_[0] == 5 ? qw(reply inProgress) : qw(reply completed);
    }, '--drain', '0.2');
    is($code, 1, 'an order that never ends');
    is($r->{missing}, 1, 'is missing');

    ($code, $r) = life(sub {
        return $_[0] == 5 ? qw(reply completed inProgress)
            : $_[0] == 6 ? qw(reply completed completed)
            : $_[0] == 7 ? qw(nonsense foreign-completed reply completed)
            : qw(reply completed);
    });
    is($code, 0, 'oddities are no failure');
    is($r->{outOfOrder}, 1, 'inProgress after completed');
    is($r->{foreign}, 2, 'not ours, or nonsense');
    is($r->{completed}, $r->{accepted}, 'a repetition counts once');

    ($code, $r) = life(sub {
        return $_[0] < 3 ? '503' : qw(reply completed);
    });
    is($code, 0, 'refused orders were not accepted');
    is_deeply($r->{errors}, { 503 => 3 }, 'and are counted');
    is($r->{posted}, $r->{accepted} + 3, 'posted');
};

subtest 'life: open loop' => sub {
    my ($code, $r) = life(sub { qw(reply completed) }, '--rate', 200);
    is($code, 0, 'exit code');
    # half a second long; the first is due at its beginning
    cmp_ok($r->{posted}, '<=', 101, 'no more than due');
    cmp_ok($r->{posted}, '>', 50, 'and not many less');
    is($r->{completed}, $r->{posted}, 'all completed');
};

subtest 'life: interrupted' => sub {
    pipe(my $read, my $write) or die "pipe: $!";
    my ($api, $url) = start_api(sub {
        syswrite $write, '.' if $_[0] == 5;
        return qw(reply completed);
    });
    close $write;
    my $pid = open my $out, '-|', $load, 'life', '--url', "$url/pre",
        '--seconds', 60, '--rate', 50
        or die "turnup-load: $!";
    $children{$pid} = 1;
    sysread $read, my $sign, 1;
    kill 'INT', $pid;
    my $r = eval { $json->decode(<$out> // '') };
    close $out;
    delete $children{$pid};
    is($r->{mode}, 'life', 'the result so far');
    cmp_ok($r->{seconds}, '<', 60, 'of the time so far');
    end_child($api);
};

done_testing();
