#!/usr/bin/perl
# turnup-sim from outside: state, idempotency, counters, faults, callbacks.
use strict;
use warnings;

use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $build = $ENV{TURNUP_BUILD} // 'build/release';
my $program = "$build/turnup-sim";
my $json = JSON::PP->new->canonical;
my ($pid, $base, $port);

# Nothing may hang: the alarm ends the test, the END block the simulator.
$SIG{ALRM} = sub { die "the test took too long\n" };
alarm 120;

-x $program or BAIL_OUT("$program is missing: run make");

sub start_sim {
    my (@options) = @_;
    pipe(my $read, my $write) or die "pipe: $!";
    $pid = fork() // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>&', $write or POSIX::_exit(1);
        exec $program, '--port', 0, @options or POSIX::_exit(1);
    }
    close $write;
    my $line = <$read> // '';
    $line =~ /^listening on 127\.0\.0\.1:(\d+)$/
        or die "no ready line, but: $line";
    $port = $1;
    $base = "http://127.0.0.1:$port";
    return $line;
}

sub stop_sim {
    my ($signal) = @_;
    kill $signal, $pid;
    waitpid $pid, 0;
    $pid = undef;
    return $?;
}

END {
    if ($pid) {
        my $status = $?;
        kill 'KILL', $pid;
        waitpid $pid, 0;
        $? = $status;
    }
}

my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 1);

sub ask {
    my ($method, $path, $body, $headers) = @_;
    my %options = (headers => { %{ $headers // {} } });
    if (defined $body) {
        $options{content} = ref $body ? $json->encode($body) : $body;
        $options{headers}{'Content-Type'} //= 'application/json';
    }
    my $r = $http->request($method, "$base$path", \%options);
    $r->{json} = eval { $json->decode($r->{content}) };
    return $r;
}

sub keyed {
    my ($method, $path, $body, $key) = @_;
    return ask($method, $path, $body, { 'Idempotency-Key' => $key });
}

sub rule {
    my ($rule) = @_;
    my $r = ask('POST', '/_rules', $rule);
    is($r->{status}, 201, 'rule taken') or diag($r->{content});
    return $r->{json}{id};
}

sub reset_sim {
    is(ask('DELETE', '/_state')->{status}, 204, 'reset');
}

# Sends bytes on a fresh connection, returns what came until it was closed or
# the wanted number of heads is there; 'closed' or 'silent' where nothing came
# (silence is judged after $patience seconds).
sub raw {
    my ($bytes, $heads, $patience) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "connect: $!";
    for my $part (ref $bytes ? @$bytes : $bytes) {
        print {$s} $part;
        $s->flush;
    }
    my $got = '';
    my $select = IO::Select->new($s);
    while ($select->can_read($patience // 20)) {
        sysread $s, my $piece, 65536 or return $got || 'closed';
        $got .= $piece;
        return $got if (() = $got =~ m{HTTP/1\.1 }g) >= $heads;
    }
    return $got || 'silent';
}

# A listener for callbacks: takes $want requests, answers each with the next
# of @statuses (0: closes without an answer), 204 when they are used up.
sub take_callbacks {
    my ($listener, $want, @statuses) = @_;
    my $select = IO::Select->new($listener);
    my (%in, @got);
    my $end = time() + 20;

    while (@got < $want && time() < $end) {
        for my $s ($select->can_read($end - time())) {
            if ($s == $listener) {
                $select->add(scalar $listener->accept);
                next;
            }
            if (!sysread $s, $in{$s}, 65536, length($in{$s} // '')) {
                $select->remove($s);
                delete $in{$s};
                next;
            }
            while ($in{$s} =~ /^(.*?)\r\n\r\n/s) {
                my ($head, $length) = ($1, 0);
                $length = $1 if $head =~ /^Content-Length: (\d+)/mi;
                my $all = length($head) + 4 + $length;
                last if length $in{$s} < $all;
                my $body = substr $in{$s}, length($head) + 4, $length;
                substr $in{$s}, 0, $all, '';
                my $status = shift(@statuses) // 204;
                push @got, { head => $head, json => $json->decode($body) };
                if (!$status) {
                    $select->remove($s);
                    close $s;
                    last;
                }
                print {$s} "HTTP/1.1 $status X\r\n"
                    . ($status == 204 ? '' : "Content-Length: 0\r\n") . "\r\n";
                $s->flush;
            }
        }
    }
    return @got;
}

sub listener {
    my $s = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1:0',
        Listen => 64,
        ReuseAddr => 1
    ) or die "listen: $!";
    return ($s, 'http://127.0.0.1:' . $s->sockport);
}

# Polls a condition that the simulator's own timers bring about.
sub wait_for {
    my ($what, $name) = @_;
    my $end = time() + 20;
    my $ok;
    select undef, undef, undef, 0.01
        while !($ok = $what->()) && time() < $end;
    ok($ok, $name);
}

subtest 'command line' => sub {
    my $text = `$program --help`;
    is($?, 0, '--help is no failure');
    like($text, qr/--port N.*_rules/s, 'and says what there is');
    for my $bad ('', '--port', '--port x', '--port 70000', '--port -1',
        '--port 0 more', '--port 0 --bind nowhere', '--port 0 --max-keys 1',
        '--nonsense')
    {
        `$program $bad 2>&1`;
        isnt($?, 0, "refused: '$bad'");
    }
};

like(start_sim(), qr/^listening on /, 'prints where it listens');

subtest 'stored state' => sub {
    my $r = ask('PUT', '/bng/subscriber/1', { speed => '100' });
    is($r->{status}, 200, 'PUT');
    is_deeply($r->{json}, { speed => '100', bindingId => 'bng-1' },
        'answered with a binding');
    is($r->{headers}{'content-type'}, 'application/json', 'as JSON');
    $r = ask('PUT', '/bng/subscriber/1', { speed => '200' });
    is($r->{json}{bindingId}, 'bng-1', 'the binding stays');
    $r = ask('PUT', '/bng/subscriber/2', {});
    is($r->{json}{bindingId}, 'bng-2', 'another path, another binding');
    $r = ask('PUT', '/sbc/subscriber/2', {});
    is($r->{json}{bindingId}, 'sbc-1', 'another target counts for itself');
    is_deeply(ask('GET', '/bng/subscriber/1')->{json},
        { speed => '200', bindingId => 'bng-1' }, 'GET reads back');
    is(ask('GET', '/bng/subscriber/1?x=y')->{status}, 200, 'without query');
    is(ask('GET', '/bng/subscriber/9')->{status}, 404, 'nothing there');

    $r = ask('PATCH', '/bng/subscriber/1',
        { speed => undef, vlan => 7, more => { a => 1 } });
    is_deeply($r->{json},
        { bindingId => 'bng-1', vlan => 7, more => { a => 1 } },
        'PATCH merges, null removes');
    $r = ask('PATCH', '/bng/subscriber/1', { more => { b => 2 } });
    is_deeply($r->{json}{more}, { b => 2 }, 'on the first level only');
    is(ask('PATCH', '/bng/subscriber/9', {})->{status}, 404, 'PATCH nothing');

    $r = ask('POST', '/oss/orders', { id => 'a b/c', n => 1 });
    is($r->{status}, 201, 'POST');
    is($r->{headers}{location}, '/oss/orders/a%20b%2Fc', 'Location');
    is_deeply(ask('GET', $r->{headers}{location})->{json},
        { id => 'a b/c', n => 1 }, 'created with its id');
    $r = ask('POST', '/oss/orders', { n => 2 });
    is_deeply($r->{json}, { id => 'oss-1', n => 2 }, 'or with one of ours');
    is(ask('POST', '/oss/orders', { id => 17 })->{headers}{location},
        '/oss/orders/17', 'a number is an id');
    is(ask('POST', '/oss/reset')->{status}, 201, 'POST without a body');

    is(ask('DELETE', '/bng/subscriber/9')->{status}, 404,
        'DELETE what never was');
    is(ask('DELETE', '/bng/subscriber/1')->{status}, 204, 'DELETE');
    is(ask('GET', '/bng/subscriber/1')->{status}, 404, 'is gone');
    is(ask('DELETE', '/bng/subscriber/1')->{status}, 204, 'DELETE again');

    is_deeply(ask('GET', '/_state?prefix=/bng')->{json},
        { '/bng/subscriber/2' => { bindingId => 'bng-2' } }, 'state of one');
    is(scalar keys %{ ask('GET', '/_state')->{json} }, 6, 'state of all');
};

subtest 'documents are kept as they came' => sub {
    my $text = '{"u":"\u00e4 \ud83d\ude00 \\\\ \" \n","n":-1.50e+3,'
        . '"a":[ 1,{"b":[]} ,null,true],"o":{"x":{"y":{}}}}';
    my $r = ask('PUT', '/bng/odd', $text);
    is($r->{status}, 200, 'taken');
    my $want = $json->decode($text);
    $want->{bindingId} = $r->{json}{bindingId};
    is_deeply($r->{json}, $want, 'the same');
    like($r->{content}, qr/-1\.50e\+3/, 'numbers as spelt');
    my $big = { list => [ map { { n => $_, text => 'x' x 100 } } 1 .. 5000 ] };
    is(ask('PUT', '/bng/big', $big)->{status}, 200, 'a large one');
    is(scalar @{ ask('GET', '/bng/big')->{json}{list} }, 5000, 'is whole');
};

subtest 'bad requests' => sub {
    my $before = ask('GET', '/_counts')->{json};
    my @bad = (
        'x', '[]', '"a"', '1', '{', '{"a"}', '{"a":}', '{"a":1,}', '{a:1}',
        '{"a":01}', '{"a":.5}', '{"a":1.}', '{"a":1e}', '{"a":+1}',
        '{"a":tru}', '{"a":"x}', '{"a":"\x"}', '{"a":"\u12g4"}',
        "{\"a\":\"\n\"}", '{"a":[1,]}', '{"a":[1 2]}', '{"a":1}}',
        '{"a":1}{}', '{"a":1 "b":2}', "{\"a\":\"\xff\"}", '{' x 3,
        '{"a":' . '[' x 100 . ']' x 100 . '}'
    );
    is(ask('PUT', '/bng/bad', $_)->{status}, 400, substr "body $_", 0, 40)
        for @bad;
    my $deep = '{"a":' . '[' x 60 . ']' x 60 . '}';
    is(ask('PUT', '/bng/deep', $deep)->{status}, 200, 'deep, but in bounds');
    is(ask('GET', '/bng/bad')->{status}, 404, 'nothing was stored');
    is(ask('OPTIONS', '/bng/x')->{status}, 405, 'unknown method');
    is(ask('GET', $_)->{status}, 404, "no target: $_")
        for '/', '/bng', '//x', '/_nothing', '/_state/x', '/' . 't' x 80 . '/x';
    is(ask('GET', '/_counts?method=FETCH')->{status}, 400, 'no method');
    my $after = ask('GET', '/_counts')->{json};
    is($after->{applied} - $before->{applied}, 1, 'nothing bad was applied');
    cmp_ok($after->{refused}, '>=', @bad, 'all of it counted');
};

subtest 'HTTP' => sub {
    my $put = "PUT /http/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n"
        . '{"a":1}';
    my $get = "GET /http/1 HTTP/1.1\r\nHost: x\r\n\r\n";
    my $got = raw($put . $get x 3, 4);
    is(scalar(() = $got =~ m{HTTP/1\.1 200 OK}g), 4, 'pipelined');
    $got = raw([ split //, $put ], 1);
    like($got, qr{^HTTP/1\.1 200 OK.*"a":1}s, 'byte by byte');
    $got = raw("PUT /http/2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
            . "\r\n\r\n3;x=y\r\n{\"a\r\n4\r\n\":2}\r\n0\r\nT: t\r\n\r\n$get", 2);
    like($got, qr/"a":2.*"a":1/s, 'chunked, with a trailer, then another');
    $got = raw("GET /http/1 HTTP/1.1\r\nConnection: close\r\n\r\n", 9);
    like($got, qr/Connection: close.*"a":1/s, 'closed as asked');
    $got = raw("GET /http/1 HTTP/1.0\r\n\r\n", 9);
    like($got, qr/Connection: close.*"a":1/s, 'HTTP/1.0');
    $got = raw("PUT /http/3 HTTP/1.1\r\nExpect: 100-continue\r\n"
            . "Content-Length: 2\r\n\r\n", 1);
    like($got, qr{^HTTP/1\.1 100 }, '100 Continue');

    my %bad = (
        'no version' => "GET /x/y\r\n\r\n",
        'no HTTP' => "hello there, how are you\r\n\r\n",
        'HTTP/2' => "GET /x/y HTTP/2.0\r\n\r\n",
        'absolute target' => "GET http://x/y HTTP/1.1\r\n\r\n",
        'space in target' => "GET /x /y HTTP/1.1\r\n\r\n",
        'bad length' => "PUT /x/y HTTP/1.1\r\nContent-Length: 1x\r\n\r\n{",
        'negative length' =>
            "PUT /x/y HTTP/1.1\r\nContent-Length: -1\r\n\r\n{",
        'huge length' =>
            "PUT /x/y HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        'two lengths' => "PUT /x/y HTTP/1.1\r\nContent-Length: 2\r\n"
            . "Content-Length: 3\r\n\r\n{}",
        'length and chunks' => "PUT /x/y HTTP/1.1\r\nContent-Length: 2\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n{}",
        'other coding' =>
            "PUT /x/y HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        'bad chunk' =>
            "PUT /x/y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        'chunk without end' => "PUT /x/y HTTP/1.1\r\nTransfer-Encoding: "
            . "chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
        'huge chunk' => "PUT /x/y HTTP/1.1\r\nTransfer-Encoding: chunked"
            . "\r\n\r\nffffffffffffffffff\r\n",
        'header without colon' => "GET /x/y HTTP/1.1\r\nnonsense\r\n\r\n",
        'bare line feed' => "GET /x/y HTTP/1.1\r\na: b\nc: d\r\n\r\n",
        'too many headers' => "GET /x/y HTTP/1.1\r\n" . "a: b\r\n" x 65
            . "\r\n",
        'endless head' => "GET /x/y HTTP/1.1\r\n" . 'a' x 20000,
    );
    like(raw($bad{$_}, 9), qr{^HTTP/1\.1 400 .*Connection: close}s, $_)
        for sort keys %bad;
    is(ask('GET', '/x/y')->{status}, 404, 'nothing of it was stored');
};

subtest 'idempotency' => sub {
    reset_sim();
    my $first = keyed('POST', '/oss/orders', { n => 1 }, 'k1');
    my $again = keyed('POST', '/oss/orders', { n => 1 }, 'k1');
    is($again->{status}, 201, 'repeated');
    is($again->{content}, $first->{content}, 'with the same answer');
    is($again->{headers}{location}, $first->{headers}{location}, 'and place');
    is(scalar keys %{ ask('GET', '/_state')->{json} }, 1, 'one was created');
    is_deeply(ask('GET', '/_counts?key=k1')->{json},
        { key => 'k1', calls => 2, applied => 1 }, 'counted by key');

    keyed('PUT', '/oss/x', { v => 1 }, 'k2');
    ask('PUT', '/oss/x', { v => 2 });
    is(keyed('PUT', '/oss/x', { v => 1 }, 'k2')->{json}{v}, 1, 'old answer');
    is(ask('GET', '/oss/x')->{json}{v}, 2, 'and the state is not touched');

    is(keyed('PUT', '/bng/x', {}, 'k2')->{status}, 200,
        'keys are a target\'s own');
    is(ask('GET', '/_counts?key=k2')->{json}{applied}, 2, 'both together');
    is(ask('GET', '/_counts?key=k2&target=bng')->{json}{applied}, 1, 'one');
    is(keyed('DELETE', '/oss/x', undef, 'k2')->{status}, 422,
        'a key for another method');
    is(keyed('PUT', '/oss/y', {}, 'k2')->{status}, 422, 'for another path');
    is(ask('GET', '/oss/y')->{status}, 404, 'changes nothing');

    keyed('DELETE', '/oss/x', undef, 'k3');
    ask('PUT', '/oss/x', { v => 3 });
    is(keyed('DELETE', '/oss/x', undef, 'k3')->{status}, 204, 'DELETE again');
    is(ask('GET', '/oss/x')->{json}{v}, 3, 'removes nothing');

    is(keyed('PATCH', '/oss/z', { a => 1 }, 'k4')->{status}, 404, 'refused');
    ask('PUT', '/oss/z', {});
    is(keyed('PATCH', '/oss/z', { a => 1 }, 'k4')->{status}, 200,
        'a refusal is not recorded');

    my $c = ask('GET', '/_counts')->{json};
    is($c->{duplicates}, 3, 'duplicates');
    is($c->{keyConflicts}, 2, 'conflicts');
    is_deeply(ask('GET', '/_counts?key=none')->{json},
        { key => 'none', calls => 0, applied => 0 }, 'an unknown key');
};

subtest 'counters' => sub {
    reset_sim();
    for my $n (1 .. 500) {
        keyed('PUT', "/bng/s/$n", { n => $n }, "c$n") for 1 .. 1 + $n % 2;
    }
    my $list = ask('GET', '/_counts?method=PUT&prefix=/bng')->{json};
    is(scalar @$list, 500, 'a row a path');
    is(scalar(grep { $_->{applied} == 1 } @$list), 500, 'each applied once');
    is(scalar(grep { $_->{calls} == 2 } @$list), 250, 'half asked twice');
    is_deeply($list->[0], { method => 'PUT', path => '/bng/s/1', calls => 2,
        applied => 1 }, 'in order of appearance');
    ask('GET', '/bng/s/1');
    ask('DELETE', '/bng/s/1');
    is_deeply(ask('GET', '/_counts?path=/bng/s/1')->{json},
        { path => '/bng/s/1', calls => 4, applied => 2, methods => {
            PUT => { calls => 2, applied => 1 },
            GET => { calls => 1, applied => 0 },
            DELETE => { calls => 1, applied => 1 } } }, 'one path');
    is(ask('GET', '/_counts?path=%2Fbng%2fs%2F2')->{json}{calls}, 1,
        'parameters are decoded');
    is(ask('GET', '/_counts?path=/bng/none')->{json}{calls}, 0, 'unknown');
    is(scalar @{ ask('GET', '/_counts?prefix=/bng/s/1')->{json} }, 113,
        'all methods of a prefix');
    is_deeply(ask('GET', '/_counts?method=PATCH')->{json}, [], 'none');
    my $c = ask('GET', '/_counts')->{json};
    is($c->{calls}, 752, 'calls');
    is($c->{applied}, 501, 'applied');
    is($c->{duplicates}, 250, 'duplicates');
    is($c->{reads}, 1, 'reads');
    is($c->{maxAppliedPerPath}, 1, 'nothing twice');
    ask('PUT', '/bng/s/2', {});
    is(ask('GET', '/_counts')->{json}{maxAppliedPerPath}, 2, 'now it is');
};

subtest 'faults: refusals' => sub {
    reset_sim();
    rule({ target => 'bng', method => 'PUT', times => 2, action => {
        status => 503, body => { why => 'busy' },
        headers => { 'Retry-After' => '1' } } });
    is(ask('PUT', '/sbc/1', {})->{status}, 200, 'another target');
    is(ask('GET', '/bng/1')->{status}, 404, 'another method');
    for (1 .. 2) {
        my $r = keyed('PUT', '/bng/1', {}, 'f1');
        is($r->{status}, 503, 'refused');
        is($r->{headers}{'retry-after'}, 1, 'with a header');
        is_deeply($r->{json}, { why => 'busy' }, 'and a body');
    }
    is(keyed('PUT', '/bng/1', {}, 'f1')->{status}, 200, 'times are over');
    is_deeply(ask('GET', '/_counts?key=f1')->{json},
        { key => 'f1', calls => 3, applied => 1 }, 'applied once');
    is(ask('GET', '/_counts')->{json}{injected}, 2, 'injected');
    is(ask('GET', '/_rules')->{json}[0]{hits}, 2, 'hits');

    my $id = rule({ pathContains => '/b', bodyContains => 'poison',
        action => { status => 400 } });
    rule({ pathContains => '/b', action => { status => 418 } });
    is(ask('PUT', '/x/b', { v => 'poison' })->{status}, 400, 'first wins');
    is(ask('PUT', '/x/b', { v => 'fine' })->{status}, 418, 'then the next');
    is(ask('PUT', '/x/c', { v => 'poison' })->{status}, 200, 'no match');
    like(ask('PUT', '/x/b', {})->{json}{reason}, qr/rule/, 'says who it was');
    is(ask('DELETE', "/_rules/$id")->{status}, 204, 'one rule goes');
    is(ask('DELETE', "/_rules/$id")->{status}, 404, 'only once');
    is(ask('DELETE', "/_rules/x")->{status}, 404, 'no number');
    is(ask('PUT', '/x/b', { v => 'poison' })->{status}, 418, 'gone');
    is(ask('DELETE', '/_rules')->{status}, 204, 'all rules go');
    is_deeply(ask('GET', '/_rules')->{json}, [], 'none left');
    is(ask('PUT', '/x/b', {})->{status}, 200, 'as before');

    rule({ times => 1, method => 'PUT',
        action => { status => 500, afterApply => JSON::PP::true } });
    is(keyed('PUT', '/x/d', { v => 1 }, 'f2')->{status}, 500, 'failed after');
    is(ask('GET', '/x/d')->{json}{v}, 1, 'having applied');
    is(keyed('PUT', '/x/d', { v => 1 }, 'f2')->{status}, 200,
        'the repetition gets the recorded answer');
    is(ask('GET', '/_counts?key=f2')->{json}{applied}, 1, 'applied once');
};

subtest 'faults: rules that are none' => sub {
    reset_sim();
    my $t = JSON::PP::true;
    my @bad = (
        'x', '[]', {}, { action => 1 }, { action => { status => 99 } },
        { action => { status => 600 } }, { action => { status => '500' } },
        { action => { status => 500.5 } }, { action => { unknown => 1 } },
        { typo => 'x', action => {} }, { times => 0, action => {} },
        { method => 'FETCH', action => {} }, { target => 7, action => {} },
        { action => { hang => 'yes' } }, { action => { body => 'text' } },
        { action => { headers => { a => 1 } } },
        { action => { headers => { a => "b\r\nc: d" } } },
        { action => { delayMs => -1 } }, { action => { async => $t } },
        { action => { async => { twice => 1 } } },
        { action => { tamper => [] } },
    );
    for my $bad (@bad) {
        my $r = ask('POST', '/_rules', $bad);
        is($r->{status}, 400, ref $bad ? $json->encode($bad) : $bad);
        ok(length($r->{json}{reason} // ''), 'with a reason');
    }
    is_deeply(ask('GET', '/_rules')->{json}, [], 'none was kept');
};

subtest 'faults: lost answers' => sub {
    reset_sim();
    my $put = sub {
        my ($path, $key) = @_;
        my $got = raw("PUT $path HTTP/1.1\r\nIdempotency-Key: $key\r\n"
            . "Content-Length: 7\r\n\r\n{\"v\":1}", 1, 1);
        return $got =~ m{^HTTP/1\.1 (\d+)} ? $1 : $got;
    };
    rule({ times => 1, pathContains => '/drop', action => { drop => \1 } });
    is($put->('/x/drop', 'd1'), 'closed', 'dropped');
    is(ask('GET', '/x/drop')->{status}, 404, 'before it was applied');
    is($put->('/x/drop', 'd1'), 200, 'then it works');

    rule({ times => 1, pathContains => '/late',
        action => { dropAfterApply => \1 } });
    is($put->('/x/late', 'd2'), 'closed', 'dropped');
    is(ask('GET', '/x/late')->{json}{v}, 1, 'after it was applied');
    is($put->('/x/late', 'd2'), 200, 'the repetition is answered');
    is(ask('GET', '/_counts?key=d2')->{json}{applied}, 1, 'and not applied');

    rule({ times => 1, pathContains => '/hang', action => { hang => \1 } });
    is($put->('/x/hang', 'd3'), 'silent', 'never answered');
    is(ask('GET', '/x/hang')->{status}, 404, 'nor applied');
    is($put->('/x/hang', 'd3'), 200, 'then it works');

    rule({ times => 1, pathContains => '/slow', action => { delayMs => 50 } });
    my $t = time();
    is($put->('/x/slow', 'd4'), 200, 'delayed');
    cmp_ok(time() - $t, '>=', 0.04, 'and it was');
    rule({ pathContains => '/sloth', method => 'PUT',
        action => { delayMs => 10, status => 503 } });
    is($put->('/x/sloth', 'd5'), 503, 'delay and status together');
    rule({ pathContains => '/away', action => { delayMs => 600000 } });
    is($put->('/x/away', 'd6'), 'silent', 'a caller that does not wait');
    like(raw("PUT /x/slot HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
        . "GET /x/drop HTTP/1.1\r\n\r\n", 2), qr/bindingId.*"v":1/s,
        'order is kept');
};

subtest 'faults: tampering' => sub {
    reset_sim();
    rule({ target => 'bng', method => 'PUT', times => 1,
        action => { tamper => { speed => '1', extra => \1 } } });
    is(ask('PUT', '/bng/1', { speed => '100' })->{json}{speed}, '100',
        'the answer is as if nothing were');
    is(ask('GET', '/bng/1')->{json}{speed}, '1', 'the device has another');
    rule({ method => 'GET', times => 1, action => { tamper => { s => 2 } } });
    is(ask('GET', '/bng/1')->{json}{s}, 2, 'drift at reading');
    rule({ method => 'POST', times => 1, action => { tamper => { s => 3 } } });
    my $r = ask('POST', '/bng/c', { s => 0 });
    is($r->{json}{s}, 0, 'POST answered');
    is(ask('GET', $r->{headers}{location})->{json}{s}, 3, 'and tampered');
};

subtest 'asynchronous vendor' => sub {
    reset_sim();
    my ($listener, $url) = listener();
    my $body = { id => 'SVC-1', callbackUrl => "$url/cb?x=1" };
    my $r = keyed('POST', '/vendor/orders', $body, 'a1');
    is($r->{status}, 202, 'accepted');
    is($r->{headers}{location}, '/vendor/orders/SVC-1', 'Location');
    is_deeply($r->{json}, { id => 'SVC-1', status => 'accepted' }, 'body');
    my $again = keyed('POST', '/vendor/orders', $body, 'a1');
    is($again->{status}, 202, 'repeated');
    is($again->{content}, $r->{content}, 'the same');
    my ($got) = take_callbacks($listener, 1);
    like($got->{head}, qr{^POST /cb\?x=1 HTTP/1\.1\r\n}, 'called back');
    like($got->{head}, qr{^Content-Type: application/json\r?$}m, 'as JSON');
    is_deeply($got->{json}, { id => 'SVC-1', status => 'delivered',
        serialNumber => 'SN-1' }, 'delivered');
    is_deeply(ask('GET', '/vendor/orders/SVC-1')->{json},
        { %$body, status => 'delivered', serialNumber => 'SN-1' }, 'stored');
    is(ask('GET', '/_counts')->{json}{callbacks}{accepted}, 1, 'one only');

    is(ask('POST', '/vendor/orders', { id => 'x' })->{status}, 201,
        'no callback asked for: at once');
    is(ask('POST', '/bng/orders', $body)->{status}, 201,
        'other targets do it at once');
    is(ask('POST', '/vendor/orders', { callbackUrl => $_ })->{status}, 400,
        "callback refused: $_")
        for 'https://127.0.0.1/', 'http://', 'http://example.com/', 'x',
        'http://127.0.0.1:99999/', 'http://127.0.0.1/a b', 'http://:80/';
    is(ask('DELETE', '/vendor/orders/SVC-1')->{status}, 204, 'withdrawn');
};

subtest 'callbacks that are not taken' => sub {
    reset_sim();
    my ($listener, $url) = listener();
    ask('POST', '/vendor/orders', { id => 'r', callbackUrl => $url });
    my @got = take_callbacks($listener, 4, 500, 0, 404, 200);
    is(scalar @got, 4, 'tried again until taken');
    is_deeply($got[3]{json}, $got[0]{json}, 'the same every time');
    wait_for(sub {
        my $c = ask('GET', '/_counts')->{json}{callbacks};
        return $c->{delivered} == 1 && $c->{pending} == 0;
    }, 'and then no more');

    my ($closed, $where) = listener();
    close $closed;
    ask('POST', '/vendor/orders', { id => 's', callbackUrl => $where });
    wait_for(sub { ask('GET', '/_counts')->{json}{callbacks}{attempts} > 6 },
        'nobody listens: tried again');
    reset_sim();
    is(ask('GET', '/_counts')->{json}{callbacks}{pending}, 0, 'forgotten');
};

subtest 'asynchronous by rule' => sub {
    reset_sim();
    my ($listener, $url) = listener();
    rule({ target => 'bng', times => 1, action => { async => { delayMs => 5,
        result => { status => 'failed', why => 'no stock' } } } });
    my $r = ask('PUT', '/bng/p/1', { callbackUrl => $url });
    is($r->{status}, 202, 'PUT accepted');
    is($r->{headers}{location}, '/bng/p/1', 'Location');
    my ($got) = take_callbacks($listener, 1);
    is_deeply($got->{json}, { id => '1', status => 'failed',
        why => 'no stock' }, 'with the result of the rule');
    is(ask('GET', '/bng/p/1')->{json}{status}, 'failed', 'stored');

    rule({ target => 'vendor', times => 1,
        action => { async => { twice => \1 } } });
    ask('POST', '/vendor/orders', { callbackUrl => $url });
    my @got = take_callbacks($listener, 2);
    is(scalar @got, 2, 'called twice');
    is_deeply($got[1]{json}, $got[0]{json}, 'with the same');

    rule({ target => 'vendor', action => { async => { never => \1 } } });
    $r = ask('POST', '/vendor/orders', { id => 'n', callbackUrl => $url });
    is($r->{status}, 202, 'accepted');
    is(ask('GET', '/_counts')->{json}{callbacks}{accepted}, 2, 'for nothing');
    is(ask('GET', '/vendor/orders/n')->{json}{status}, 'accepted', 'for ever');
    $r = ask('PUT', '/vendor/q', {});
    is($r->{status}, 202, 'a rule needs no callback URL');
};

subtest 'many callbacks' => sub {
    reset_sim();
    my ($listener, $url) = listener();
    my $child = fork() // die "fork: $!";
    if (!$child) {
        my %seen = map { $_->{json}{id} => 1 } take_callbacks($listener, 300);
        POSIX::_exit(keys %seen == 300 ? 0 : 1);
    }
    close $listener;
    ask('POST', '/vendor/orders', { id => "m$_", callbackUrl => $url })
        for 1 .. 300;
    waitpid $child, 0;
    is($?, 0, 'each came once');
};

is(stop_sim('TERM'), 0, 'stops cleanly on SIGTERM');

subtest 'bounded memory' => sub {
    start_sim('--max-paths', 1000, '--max-keys', 1000);
    keyed('PUT', "/m/$_", { n => $_ }, "k$_") for 1 .. 1100;
    my $c = ask('GET', '/_counts')->{json};
    cmp_ok($c->{paths}, '<=', 1001, 'paths');
    cmp_ok($c->{keys}, '<=', 1001, 'keys');
    cmp_ok($c->{evicted}, '>=', 198, 'said so');
    is(ask('GET', '/m/1')->{status}, 404, 'the oldest went');
    is(ask('GET', '/m/1100')->{json}{n}, 1100, 'the newest is there');
    is(keyed('PUT', '/m/1100', {}, 'k1100')->{json}{n}, 1100, 'its key too');
    my $held = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    rule({ action => { delayMs => 600000 } });
    print {$held} "GET /m/1100 HTTP/1.1\r\n\r\n";
    $held->flush;
    wait_for(sub { ask('GET', '/_rules')->{json}[0]{hits} == 1 }, 'held');
    my ($listener, $url) = listener();
    ask('DELETE', '/_rules');
    ask('POST', '/vendor/o', { callbackUrl => $url });
    is(stop_sim('INT'), 0, 'stops cleanly on SIGINT, with work in hand');
};

done_testing();
