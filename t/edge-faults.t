# The edge when Redis, workers, clients or nginx itself go away: every request
# gets an answer, nobody gets another one's, and all comes back by itself.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use Test::More;
use Edge;
use FakeWorker;
use Process;
use RawHttp;
use Time::HiRes qw(time);

start_edge();

subtest 'a client goes away' => sub {
    my $client = client()->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    is(metric('turnup_pending'), 1, 'one waits');
    $client->close;
    wait_for(sub { metric('turnup_pending') == 0 }, 'none waits');
    $worker->answer($taken, 200, '{}');
    my (undef, $answer) = through(0, 'GET', "$order/2");
    is($answer->{status}, 200, 'nobody minds');
    ok(
        metric(
            'turnup_requests_total{api="ordering",method="GET",status="499"}')
          >= 1,
        'it is counted'
    );
};

subtest 'limits' => sub {
    my @clients = map { client()->send('GET', "$order/$_") } 1 .. SLOTS;
    my @taken   = $worker->take(SLOTS);
    my $answer  = ask('GET', "$order/more");
    is_error($answer, 503, 'all slots are taken');
    is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    $worker->answer($_, 200, '{}') for @taken;
    is(scalar(grep { $_->answer->{status} == 200 } @clients),
        SLOTS, 'those that wait are answered');
    my (undef, $fine) = through(0, 'GET', "$order/1");
    is($fine->{status}, 200, 'and slots are free again');

    my @ids = map { $db->ask('XADD', 'edge:req:ordering', '*', 'x', 'y') }
      1 .. 3;
    wait_for(sub { metric('turnup_queue_depth{stream="req:ordering"}') == 3 },
        'the queue is seen');
    $answer = client(2)->send('GET', $order)->answer;
    is_error($answer, 503, 'the queue is full');
    is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    (undef, $fine) = through(2, 'GET', $service);
    is($fine->{status}, 200, 'another queue is not');
    $db->ask('XDEL', 'edge:req:ordering', @ids);
    wait_for(sub { metric('turnup_queue_depth{stream="req:ordering"}') == 0 },
        'the queue is empty');
    (undef, $fine) = through(2, 'GET', $order);
    is($fine->{status}, 200, 'then it is not');
};

subtest 'no worker' => sub {
    $worker->die_out($member{intake});
    my $answer;
    wait_for(sub {
        my $client = client()->send('GET', $order);
        $answer = eval { $client->answer(1) } // return;
        return $answer->{status} == 503;
    }, 'refused');
    is_error($answer, 503, 'at once');
    is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    is_error(ask('POST', $order, $valid), 503, 'with a body too');
    is_error(ask('GET', "$order?limit=x"), 400, 'a bad request stays bad');
    my $health = health();
    is($health->{status},              503,    'not healthy');
    is($health->{json}{status},        'fail', 'and it says so');
    is($health->{json}{pools}{intake}, 0,      'and why');
    $worker->look for 1 .. 2;
    $worker->{taken} = [];
    $member{intake} = $worker->heartbeat('intake');
    wait_for(sub { health()->{status} == 200 }, 'healthy again');
    my (undef, $fine) = through(0, 'GET', $order);
    is($fine->{status}, 200, 'served again');
};

subtest 'Redis is flushed' => sub {
    my $client = client()->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    $db->ask('FLUSHALL');
    $worker->connect;
    $worker->answer($taken, 200, '{"after":1}');
    is_deeply($client->answer->{json}, { after => 1 },
        'a request in flight is answered');
    # The workers' next heartbeats are a second away.
    my (undef, $fine) = through(0, 'GET', "$order/2");
    is($fine->{status}, 200, 'the next one too, before any heartbeat');
    wait_for(sub { health()->{status} == 503 }, 'the loss is seen');
    revive();
    for (1 .. 3) {
        (undef, $fine) = through(0, 'GET', "$order/3");
        is($fine->{status}, 200, 'served');
    }
};

subtest 'Redis forgets the time' => sub {
    my ($taken) = through(0, 'GET', "$order/1");
    my $stream = $taken->{'reply-to'};
    $db->ask('DEL', $stream);
    my ($n, $answer) = (0);
    wait_for(sub {
        my $client = client(1)->send('GET', "$order/2");
        my ($next) = $worker->take(1);
        $db->ask('XADD', $stream, '1-' . ++$n, $next->{id},
            FakeWorker::frame(200, '{"n":2}'));
        $answer = $client->answer;
        return $answer->{status} == 200;
    }, 'answered');
    is_deeply($answer->{json}, { n => 2 }, 'smaller ids are read in the end');
    $db->ask('DEL', $stream);
};

subtest 'the reply stream is kept short and alive' => sub {
    my ($taken) = through(0, 'GET', "$order/1");
    through(0, 'GET', "$order/2") for 1 .. 5;
    my $stream = $taken->{'reply-to'};
    wait_for(sub { $db->ask('XLEN', $stream) <= 1 }, 'trimmed');
    my $ttl = $db->ask('PTTL', $stream);
    ok($ttl > 0 && $ttl <= 60_000, 'it has a time to live');
    $db->ask('PEXPIRE', $stream, 20_000);
    wait_for(sub { $db->ask('PTTL', $stream) > 50_000 }, 'renewed');
    pass('renewed');
};

subtest 'Redis does not take it' => sub {
    $db->ask('CONFIG', 'SET', 'maxmemory', 1);
    my $answer = ask('POST', $order, $valid);
    $db->ask('CONFIG', 'SET', 'maxmemory', 0);
    is_error($answer, 503, 'out of memory');
    is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    my (undef, $fine) = through(0, 'GET', "$order/1");
    is($fine->{status}, 200, 'served when it has some again');
};

subtest 'links are cut' => sub {
    my $client = client()->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    kill_clients('xread');
    $worker->answer($taken, 200, '{"cut":1}');
    is_deeply($client->answer->{json}, { cut => 1 },
        'the link for replies: a request in flight is answered');

    my @clients = map { client()->send('GET', "$order/$_") } 1 .. 3;
    $worker->take(3);
    kill_clients('xadd', 'xrange', 'zrangebyscore', 'mget', 'xtrim');
    for (@clients) {
        my $answer = $_->answer;
        is_error($answer, 503, 'the link for commands: refused at once');
        is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    }
    wait_for(sub { health()->{status} == 200 }, 'healthy');
    my (undef, $fine) = through(0, 'GET', "$order/2");
    is($fine->{status}, 200, 'served again');
    ok(metric('turnup_redis_links_lost_total') >= 2, 'counted');
};

# nginx's connections whose last command was one of these.
sub kill_clients {
    my (@commands) = @_;
    my $killed = 0;
    for (split /\n/, $db->ask('CLIENT', 'LIST')) {
        my ($id) = /^id=(\d+)/;
        my ($command) = / cmd=(\w+)/;
        next if !grep { $_ eq $command } @commands;
        $killed += $db->ask('CLIENT', 'KILL', 'ID', $id);
    }
    ok($killed, "links killed: $killed");
}

subtest 'Redis stands still' => sub {
    my $client = client()->send('GET', "$order/1");
    $worker->take(1);
    $redis->freeze;
    my $since = time;
    is_error($client->answer, 503, 'a request in flight is refused');
    ok(time - $since < 5, 'before its time is over');
    is_error(ask('GET', $order), 503, 'the next one too');
    is(health()->{status}, 503, 'not healthy');
    $redis->thaw;
    wait_for(sub { health()->{status} == 200 }, 'healthy again');
    my (undef, $fine) = through(0, 'GET', "$order/2");
    is($fine->{status}, 200, 'served again');
};

subtest 'Redis dies and comes back' => sub {
    my @clients = map { client()->send('GET', "$order/$_") } 1 .. 10;
    $worker->take(10);
    $redis->kill9;
    is_error($_->answer, 503, 'refused') for @clients;
    my $answer = ask('POST', $order, $valid);
    is_error($answer, 503, 'the next one');
    is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    is_error(ask('POST', $order, '{'), 503, 'without a look at the body');
    is(health()->{json}{redis}, 'down', 'health says why');
    is(metric('turnup_redis_up'), 0, 'and so do the metrics');
    $redis->run;
    $db = $redis->client;
    $db->ask('SELECT', 1);
    revive();
    my (undef, $fine) = through(0, 'GET', "$order/1");
    is($fine->{status}, 200, 'served again, by itself');
};

subtest 'reload' => sub {
    my $client = client()->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    my ($old) = $nginx->worker_pids;
    $nginx->reload;
    my (undef, $fine) = through(0, 'GET', "$order/2");
    is($fine->{status}, 200, 'the new worker serves at once');
    ok(!gone($old), 'the old one waits for its request');
    $worker->answer($taken, 200, '{"old":1}');
    is_deeply($client->answer->{json}, { old => 1 }, 'and answers it');
    wait_for(sub { gone($old) }, 'the old worker ends');
    my $before = metric(
        'turnup_requests_total{api="ordering",method="GET",status="200"}');
    ok($before > 10, 'counters survive');

    $worker->background;
    my $failed = 0;
    for (1 .. 5) {
        my %pids = map { $_ => 1 } $nginx->worker_pids;
        $nginx->signal('HUP');
        wait_until(SECONDS, sub {
            $failed += ask('POST', $order, $valid)->{status} != 201;
            return !grep { $pids{$_} } $nginx->worker_pids;
        });
    }
    is($failed, 0, 'no request is refused over five reloads');
    $worker->end;
};

subtest 'a worker of nginx is killed' => sub {
    my $client = client()->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    is(metric('turnup_pending'), 1, 'one waits');
    my ($old) = $nginx->worker_pids;
    kill KILL => $old;
    wait_for(sub { (grep { $_ != $old } $nginx->worker_pids) == 1 },
        'another one');
    is(metric('turnup_pending'), 0, 'what died with it is not counted');
    $worker->answer($taken, 200, '{}');
    my (undef, $fine) = through(0, 'GET', "$order/2");
    is($fine->{status}, 200, 'served');
};

subtest 'every refusal is counted under its reason' => sub {
    ok(metric("turnup_refusals_total{reason=\"$_\"}") > 0, $_)
      for qw(no_redis link_lost not_queued no_worker queue_full no_slot
      timeout invalid);
};

subtest 'several workers of nginx' => sub {
    my %before = map { $_ => 1 } @{ $db->ask('KEYS', 'edge:rep:*') };
    restart_nginx(
        http    => http_conf() =~ s/(%%PORT%%);/$1 reuseport;/r,
        workers => 2
    );
    revive();
    $worker->background;
    # Each of the two has to have looked around before it serves.
    wait_for(sub {
        !grep { health()->{status} != 200 } 1 .. 16;
    }, 'both healthy');
    my $sample =
      'turnup_requests_total{api="ordering",method="POST",status="201"}';
    my $wrong = 0;
    for my $n (1 .. 64) {
        my $answer = ask('POST', $order, $valid, 'Idempotency-Key' => "n$n");
        $wrong++
          if $answer->{status} != 201
          || $answer->{json}{'idempotency-key'} ne "n$n";
    }
    is($wrong,          0,  'every client gets its own answer');
    is(metric($sample), 64, 'one sum, whoever is asked');
    my @streams = grep { !$before{$_} } @{ $db->ask('KEYS', 'edge:rep:*') };
    is(scalar @streams, 2, 'each has a reply stream of its own');
    $worker->end;
};

end_edge(qr/exited on signal 9/);
done_testing;
