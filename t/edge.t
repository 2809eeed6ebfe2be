# The edge: what a client may send and what it gets back, what reaches the
# streams and what does not; and what nginx.conf may say.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use Test::More;
use Edge;
use FakeWorker;
use JSON::PP;
use RawHttp;
use Time::HiRes qw(time);

start_edge();

subtest 'a request becomes an entry, a reply becomes an answer' => sub {
    my $client = client()->send(
        'POST', "$order?fields=id,state", $valid,
        'Host'            => 'com.example.net:8080',
        'Idempotency-Key' => 'order-17',
        'Content-Type'    => 'Application/JSON; Charset="UTF-8"',
        'Accept'          => 'text/html, application/*;q=0.5',
        'traceparent' =>
          '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    );
    my ($taken) = $worker->take(1);
    is($taken->{stream}, 'edge:req:ordering', 'the stream of the API');
    my %wanted = (
        api               => 'ordering',
        version           => 'v4',
        method            => 'POST',
        resource          => 'serviceOrder',
        query             => 'fields=id,state',
        base              => 'http://com.example.net:8080',
        profile           => 'extended',
        'idempotency-key' => 'order-17',
        'content-type'    => 'application/json',
        body              => $valid,
        traceparent =>
          '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    );
    is($taken->{$_}, $wanted{$_}, $_) for sort keys %wanted;
    ok(!exists $taken->{$_}, "no $_") for qw(key subject);
    like($taken->{id}, qr/^[0-9a-f]{16}\.\d+-\d+-\d+$/, 'id');
    like($taken->{id}, qr/^\Q@{[ $taken->{'reply-to'} =~ s{^edge:rep:}{}r ]}-/,
        'of the instance that reads the reply stream');
    my $left = $taken->{deadline} / 1000 - time;
    ok($left > 0 && $left <= 5.1, 'deadline within tmf_timeout');

    $worker->answer($taken, 201, '{"id":"7"}',
        Location => 'http://com.example.net:8080/x', 'X-Extra' => 'a b');
    my $answer = $client->answer;
    is($answer->{status},            201,                             'status');
    is($answer->{headers}{location}, 'http://com.example.net:8080/x', 'Location');
    is($answer->{headers}{'x-extra'}, 'a b', 'other headers');
    is($answer->{headers}{'content-type'},
        'application/json;charset=utf-8', 'Content-Type');
    is($answer->{body}, '{"id":"7"}', 'body');
};

subtest 'routes' => sub {
    for (
        [ GET => $order, 'ordering', 'serviceOrder', undef ],
        [ GET => "$order/", 'ordering', 'serviceOrder', undef ],
        [ GET => "$order/SO-1", 'ordering', 'serviceOrder', 'SO-1' ],
        [ GET => "$order/SO-1/", 'ordering', 'serviceOrder', 'SO-1' ],
        [ GET => "$order/%C3%A9%20x", 'ordering', 'serviceOrder', "\xc3\xa9 x" ],
        [ DELETE => "$spec/1", 'catalog', 'serviceSpecification', '1' ],
        [ GET => $service, 'inventory', 'service', undef ],
        [ GET => "$service/SVC-7909", 'inventory', 'service', 'SVC-7909' ],
        [ GET => $spec, 'catalog', 'serviceSpecification', undef ],
      )
    {
        my ($method, $path, $api, $resource, $key) = @$_;
        my ($taken, $answer) = through(0, $method, $path);
        is_deeply(
            [ @$taken{qw(stream api method resource key)} ],
            [ "edge:req:$api", $api, $method, $resource, $key ],
            "$method $path"
        );
        is($answer->{status}, 200, 'is answered');
    }
    my ($taken) = through(0, 'PATCH', "$spec/1", '{"description":"x"}',
        'Content-Type' => 'application/merge-patch+json; charset=utf-8');
    is($taken->{'content-type'}, 'application/merge-patch+json', 'PATCH');
    ($taken) = through(0, 'PATCH', "$spec/1", '{"description":"x"}');
    is($taken->{'content-type'}, 'application/json', 'PATCH as plain JSON');
    for my $type ('json-patch', 'json-patch-query') {
        my $patch = '[{"op":"remove","path":"/a?b=c"}]';
        ($taken) = through(0, 'PATCH', "$spec/1", $patch,
            'Content-Type' => uc "application/$type+json");
        is($taken->{'content-type'}, "application/$type+json", $type);
        is($taken->{body}, $patch, 'as it was sent');
    }
    ($taken) = through(0, 'GET', "$order/1", 'a body nobody asked for');
    ok(!exists $taken->{body}, 'the body of a GET is left out');
    like($taken->{traceparent},
        qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/,
        'a traceparent is made');
    ($taken) = through(0, 'GET', $order, undef,
        traceparent => '00-' . '0' x 32 . '-b7ad6b7169203331-00');
    unlike($taken->{traceparent}, qr/b7ad6b7169203331/,
        'in place of an invalid one');
};

subtest 'what is wrong is told and never queued' => sub {
    my $hub    = '/tmf-api/serviceOrdering/v4/hub';
    my $cancel = '/tmf-api/serviceOrdering/v4/cancelServiceOrder';
    my @cases  = (
        [ 404, 'no such API',      GET => '/tmf-api/productOrdering/v4/x' ],
        [ 404, 'not an API',       GET => '/nothing' ],
        [ 404, 'no version',       GET => '/tmf-api/serviceOrdering' ],
        [ 404, 'version v5',       GET => $order =~ s/v4/v5/r ],
        [ 404, 'no resource',      GET => '/tmf-api/serviceOrdering/v4/' ],
        [ 404, 'unknown resource', GET => '/tmf-api/serviceOrdering/v4/x' ],
        [ 404, 'below an id',      GET => "$order/1/note" ],
        [ 404, 'too long a name',  GET => $order . 'x' x 3000 ],
        [ 404, 'not UTF-8',        GET => '/tmf-api/serviceOrdering/v4/%FF' ],
        [ 400, 'an id with a control character', GET => "$order/a%01" ],
        [ 400, 'an id that is not UTF-8',        GET => "$order/%C3" ],
        [ 400, 'an id too long',   GET => "$order/" . 'x' x 257 ],
        [ 405, 'PUT',              PUT => "$order/1", $valid ],
        [ 405, 'POST on an item',  POST => "$order/1", $valid ],
        [ 405, 'PATCH on a collection', PATCH => $order, $valid ],
        [ 405, 'DELETE on a collection', DELETE => $order ],
        [ 405, 'PATCH of a task',  PATCH => "$cancel/1", $valid ],
        [ 405, 'an unknown method', BREW => $order ],
        [ 406, 'Accept: text/html', GET => $order, undef,
            Accept => 'text/html' ],
        [ 406, 'JSON excluded', GET => $order, undef,
            Accept => '*/*, application/json;q=0' ],
        [ 406, 'an empty Accept', GET => $order, undef, Accept => '' ],
        [ 415, 'a form', POST => $order, $valid,
            'Content-Type' => 'application/x-www-form-urlencoded' ],
        [ 415, 'no Content-Type', POST => $order, $valid,
            'Content-Type' => undef ],
        [ 415, 'Latin-1', POST => $order, $valid,
            'Content-Type' => 'application/json;charset=iso-8859-1' ],
        [ 415, 'a merge-patch POST', POST => $order, $valid,
            'Content-Type' => 'application/merge-patch+json' ],
        [ 415, 'a json-patch POST', POST => $order, '[]',
            'Content-Type' => 'application/json-patch+json' ],
        [ 415, 'a patch of text', PATCH => "$spec/1", '{}',
            'Content-Type' => 'text/plain' ],
        [ 415, 'a patch in Latin-1', PATCH => "$spec/1", '[]',
            'Content-Type' => 'application/json-patch+json;charset=latin1' ],
        [ 415, 'gzip', POST => $order, $valid,
            'Content-Encoding' => 'gzip' ],
        [ 400, 'no body',    POST => $order ],
        [ 400, 'empty body', POST => $order, '' ],
        [ 400, 'empty chunked body', POST => $order, "0\r\n\r\n",
            'Transfer-Encoding' => 'chunked' ],
        [ 400, 'not JSON',   POST => $order, '{"serviceOrderItem":[' ],
        [ 400, 'a list',     POST => $order, '[]' ],
        [ 400, 'no items',   POST => $order, '{}' ],
        [ 400, 'NUL in a text', POST => $order, '{"description":"\u0000"}' ],
        [ 400, 'not UTF-8',     POST => $order, qq({"description":"\xff"}) ],
        [ 400, 'a PATCH of a wrong type', PATCH => "$spec/1",
            '{"description":1}' ],
        [ 400, 'a hub that is no URL', POST => $hub, '{"callback":"x"}' ],
        [ 400, 'limit=x',    GET => "$order?limit=x" ],
        [ 400, 'offset=-1',  GET => "$order?offset=-1" ],
        [ 400, 'an operator', GET => "$order?priority.regex=(" ],
        [ 400, 'a broken escape', GET => "$order?state=%zz" ],
        [ 400, 'an empty Idempotency-Key', POST => $order, $valid,
            'Idempotency-Key' => '' ],
        [ 400, 'Idempotency-Key with a blank', POST => $order, $valid,
            'Idempotency-Key' => 'a b' ],
        [ 400, 'Idempotency-Key not ASCII', POST => $order, $valid,
            'Idempotency-Key' => "\xc3\xa9" ],
        [ 400, 'too long an Idempotency-Key', POST => $order, $valid,
            'Idempotency-Key' => 'k' x 256 ],
        [ 400, 'two Idempotency-Keys', POST => $order, $valid,
            'Idempotency-Key' => 'a', 'Idempotency-Key' => 'b' ],
        [ 400, 'a Host that is none', GET => $order, undef, Host => 'a<b>' ],
        [ 413, 'a declared length over the limit', POST => $order, '',
            'Content-Length' => BODY_MAX + 1 ],
        [ 413, 'chunks over the limit', POST => $order,
            sprintf("%x\r\n", BODY_MAX + 1) . ' ' x (BODY_MAX + 1),
            'Transfer-Encoding' => 'chunked' ],
    );
    for (@cases) {
        my ($status, $name, @request) = @$_;
        is_error(ask(@request), $status, $name);
    }
    ok($worker->idle, 'nothing is on the streams');

    my $answer = ask('POST', $order, '{"serviceOrderItem":[{"id":"1",'
          . '"action":"explode","service":{}}]}');
    is($answer->{json}{pointer}, '/serviceOrderItem/0/action',
        'an error points at the attribute');
    for (
        [ '{"op":"remove","path":"/a"}',                '' ],
        [ '[{"op":"remove","path":"/a"},7]',            '/1' ],
        [ '[{"path":"/a"}]',                            '/0/op' ],
        [ '[{"op":"append","path":"/a","value":1}]',    '/0/op' ],
        [ '[{"op":"add","path":"/a"}]',                 '/0/value' ],
        [ '[{"op":"test","path":7,"value":1}]',         '/0/path' ],
        [ '[{"op":"copy","path":"/a","value":"/b"}]',   '/0/from' ],
      )
    {
        my ($patch, $pointer) = @$_;
        $answer = ask('PATCH', "$spec/1", $patch,
            'Content-Type' => 'application/json-patch+json');
        is_error($answer, 400, $patch);
        is($answer->{json}{pointer} // '', $pointer, 'pointer');
    }
    is(ask('GET', $order, undef, Accept => 'text/html')->{json}{code},
        '62', 'an error has its code');

    is(ask('PUT', "$spec/1", $valid)->{headers}{allow},
        'GET, HEAD, PATCH, DELETE, OPTIONS', 'Allow of an item');
    $answer = ask('OPTIONS', $order);
    is($answer->{status},         204,                        'OPTIONS');
    is($answer->{headers}{allow}, 'GET, HEAD, POST, OPTIONS', 'its Allow');
    is($answer->{headers}{'accept-patch'}, undef, 'nothing to patch');
    my $types = 'application/merge-patch+json, application/json, '
        . 'application/json-patch+json, application/json-patch-query+json';
    is(ask('OPTIONS', "$spec/1")->{headers}{'accept-patch'}, $types,
        'Accept-Patch of an item');
    is(ask('PATCH', "$spec/1", '{}', 'Content-Type' => 'text/plain')
        ->{headers}{'accept-patch'}, $types, 'and of a 415');
    my $client = client()->send('HEAD', '/nothing')
      ->send('GET', "$order?limit=x");
    is($client->answer->{status}, 404, 'an error to HEAD has no body');
    is_error($client->answer, 400, 'and the connection lives on');
};

subtest 'jobs of TMF633' => sub {
    for my $jobs (map { "/tmf-api/serviceCatalogManagement/v4/$_" }
        qw(importJob exportJob))
    {
        is(ask('OPTIONS', "$jobs/1")->{headers}{allow},
            'GET, HEAD, DELETE, OPTIONS', 'Allow');
        is_error(ask('PATCH', "$jobs/1", '{}'), 405, "PATCH $jobs");
        is_error(ask('POST',  "$jobs/1", '{}'), 405, 'POST on one');
        is_error(ask('POST',  $jobs,     '{}'), 400, 'no URL');
        my ($taken, $answer) =
          through(0, 'POST', $jobs, '{"url":"file:///x"}');
        is($answer->{status}, 200, 'a file is one');
    }
};

subtest 'what is taken' => sub {
    for my $accept ('*/*', 'application/*', 'application/json;charset=utf-8',
        'text/html;q=0.9, */*;q=0.1', 'application/json;q=0.1, */*;q=0')
    {
        my (undef, $answer) =
          through(0, 'GET', $order, undef, Accept => $accept);
        is($answer->{status}, 200, "Accept: $accept");
    }
    my $key = 'k' x 255;
    my ($taken) =
      through(0, 'POST', $order, $valid, 'Idempotency-Key' => $key);
    is($taken->{'idempotency-key'}, $key, 'the longest Idempotency-Key');
    ($taken) = through(0, 'GET', "$order/" . 'x' x 256);
    is($taken->{key}, 'x' x 256, 'the longest id');
    ($taken) = through(0, 'GET', "$order?limit=10&offset=0&state=held%2Cx,b");
    is($taken->{query}, 'limit=10&offset=0&state=held%2Cx,b',
        'the query goes on as it was sent');
};

subtest 'bodies' => sub {
    my $big = $valid =~ s/^\{/{"description":"@{['d' x 150_000]}",/r;
    my ($taken) = through(0, 'POST', $order, $big);
    ok($taken->{body} eq $big, 'one that goes through a file');

    my $client = client();
    $client->write("POST $order HTTP/1.1\r\nHost: x\r\nContent-Type: "
          . "application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for my $piece ($big =~ /(.{1,7000})/gs) {
        $client->write(sprintf "%x\r\n%s\r\n", length $piece, $piece);
    }
    $client->write("0\r\n\r\n");
    ($taken) = $worker->take(1);
    ok($taken->{body} eq $big, 'chunks');
    $worker->answer($taken, 201, '{}');
    is($client->answer->{status}, 201, 'are answered');

    $client = client();
    my $bytes = RawHttp::request('POST', $order, $valid);
    $client->write($_) for split //, $bytes;
    ($taken) = $worker->take(1);
    is($taken->{body}, $valid, 'byte by byte');
    $worker->answer($taken, 201, '{}');
    is($client->answer->{status}, 201, 'is answered');

    $client = client();
    $client->write("POST $order HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
          . "Content-Type: application/json\r\nContent-Length: "
          . length($valid) . "\r\n\r\n");
    like($client->until("\r\n\r\n"), qr/ 100 /, '100 Continue');
    $client->write($valid);
    ($taken) = $worker->take(1);
    $worker->answer($taken, 201, '{}');
    is($client->answer->{status}, 201, 'and then the answer');

    ($client) = client()->send('GET', "$order/1");
    ($taken) = $worker->take(1);
    my $long = '{"x":"' . 'y' x 3_000_000 . '"}';
    $worker->answer($taken, 200, $long);
    ok($client->answer->{body} eq $long, 'a reply of three megabytes');
};

subtest 'answers' => sub {
    my $client = client()->send('HEAD', "$order/1");
    my ($taken) = $worker->take(1);
    is($taken->{method}, 'GET', 'HEAD is a GET to the worker');
    $worker->answer($taken, 200, '{"a":1}', 'X-Total-Count' => 3);
    my $answer = $client->answer;
    is($answer->{headers}{'content-length'}, 7, 'with the length');
    is($answer->{headers}{'x-total-count'},  3, 'with the headers');
    $client->send('DELETE', "$spec/1");
    ($taken) = $worker->take(1);
    $worker->answer($taken, 204);
    $answer = $client->answer;
    is($answer->{status}, 204, 'No Content');
    ok(!exists $answer->{headers}{'content-type'}, 'has no type');
    $client->send('GET', "$order/1");
    ($taken) = $worker->take(1);
    $worker->answer(
        $taken, 503,
        '{"code":"67"}',
        'Retry-After'    => 9,
        'Content-Type'   => 'application/problem+json',
        'Content-Length' => 3,
        'Connection'     => 'close'
    );
    $answer = $client->answer;
    is($answer->{status},                 503,             '503 of a worker');
    is($answer->{headers}{'retry-after'}, 9,               'its Retry-After');
    is($answer->{headers}{'content-type'}, 'application/problem+json',
        'its Content-Type');
    is($answer->{body}, '{"code":"67"}', 'its body, whatever it says of it');

    for my $bad ('', 'x', "99\n\n", "200\nno header\n\n", "100\n\n{}",
        "200\nA: b", "200\nA: b\rc\n\n", '{}')
    {
        $client->send('GET', "$order/1");
        ($taken) = $worker->take(1);
        $worker->reply($taken, $taken->{id} => $bad);
        is_error($client->answer, 500,
            'malformed reply ' . JSON::PP->new->allow_nonref->encode($bad));
    }
};

subtest 'several at once' => sub {
    my $client = client();
    $client->write(join '',
        map { RawHttp::request('GET', "$order/$_") } 1 .. 5);
    for my $n (1 .. 5) {
        my ($taken) = $worker->take(1);
        is($taken->{key}, $n, "pipelined request $n");
        $worker->answer($taken, 200, qq({"n":$n}));
    }
    is($client->answer->{json}{n}, $_, "answer $_") for 1 .. 5;

    my @clients = map { client()->send('GET', "$order/$_") } 1 .. 20;
    my @taken   = $worker->take(20);
    $worker->reply($taken[0],
        map { $_->{id} => FakeWorker::frame(200, qq({"n":$_->{key}})) }
          reverse @taken);
    is_deeply(
        [ map { $_->answer->{json}{n} } @clients ],
        [ 1 .. 20 ],
        'one entry with twenty replies, each to its own client'
    );
};

subtest 'replies that nobody waits for' => sub {
    my $client = client()->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    my ($instance, $slot, $ticket) = $taken->{id} =~ /^(.*)-(\d+)-(\d+)$/;
    my $frame = FakeWorker::frame(200, '{"wrong":1}');
    for my $id (
        'x', '-', "$instance", "$instance-", "$instance-$slot",
        "$instance-$slot-", "$instance-$slot-" . ($ticket + 1),
        "$instance-$slot-$ticket-1", "$instance-" . ($slot + 1) . "-$ticket",
        "$instance-99999999-$ticket", "$instance-$slot-99999999999999999999",
        "$instance-x-$ticket", "$instance-$slot-${ticket}x",
        "other.1-$slot-$ticket", '')
    {
        $worker->reply($taken, $id => $frame);
    }
    $worker->answer($taken, 200, '{"right":1}');
    is_deeply($client->answer->{json}, { right => 1 }, 'harm nobody');
    $worker->answer($taken, 200, '{"again":1}');
    my (undef, $answer) = through(0, 'GET', "$order/2");
    is_deeply($answer->{json}, { ok => JSON::PP::true },
        'nor does a second reply');
};

subtest 'no answer in time' => sub {
    my $client = client(1)->send('GET', "$order/1");
    my ($taken) = $worker->take(1);
    is_error($client->answer, 504, 'after tmf_timeout');
    $client->send('GET', "$order/2");
    my ($next) = $worker->take(1);
    $worker->answer($taken, 200, '{"late":1}');
    $worker->answer($next,  200, '{"next":1}');
    is_deeply($client->answer->{json}, { next => 1 },
        'the late reply is not given to the next request');
};

subtest 'who asks, and where' => sub {
    my ($taken) = through(1, 'GET', $order, undef,
        'X-Forwarded-Proto' => 'https',
        'X-Forwarded-Host'  => 'public.example.net:444, inner',
        'X-Subject'         => 'J. Smith');
    is($taken->{base},    'https://public.example.net:444', 'forwarded base');
    is($taken->{profile}, 'strict',                         'profile');
    is($taken->{subject}, 'J. Smith',                       'subject');
    ($taken) = through(1, 'GET', $order, undef,
        'X-Forwarded-Proto' => 'javascript',
        'X-Forwarded-Host'  => 'a"b');
    is($taken->{base}, 'http://localhost', 'nonsense is not taken over');
    ($taken) = through(0, 'GET', $order, undef,
        'X-Forwarded-Proto' => 'https',
        'X-Forwarded-Host'  => 'evil.example.net');
    is($taken->{base}, 'http://localhost', 'nor anything without trust');
    ($taken) = through(2, 'GET', $service);
    is($taken->{base}, 'https://api.example.net/turnup', 'tmf_public_base');
    is_error(client(1)->send('GET', $order, undef, 'X-Subject' => "\xff")
          ->answer, 400, 'a subject that is not UTF-8');
    my $client = client();
    $client->write("GET $order HTTP/1.0\r\n\r\n");
    ($taken) = $worker->take(1);
    is($taken->{base}, 'http://127.0.0.1:' . $nginx->port, 'without Host');
    $worker->answer($taken, 200, '{}');
};

subtest 'one location, one API' => sub {
    is_error(client(2)->send('POST', $service, '{}')->answer,
        403, 'what nginx forbids is said in TMF\'s words');
    is_error(client(2)->send('GET', '/tmf-api/serviceInventory/v4/hub/x/y')
          ->answer, 404, 'not a path');
    is_error(client(2)->send('POST', '/turnup/v1/callback/t')->answer,
        404, 'callbacks belong to ordering');
    is(client(2)->send('GET', '/')->answer->{status}, 404, 'outside');
    unlike(client(2)->send('GET', '/')->answer->{body},
        qr/Error/, 'nginx answers as it likes');
};

subtest 'callbacks of vendors' => sub {
    my $path = '/turnup/v1/callback/aZ09_.~-';
    my ($taken, $answer) =
      through(0, 'POST', $path, '[1,{"a":null}]', 'Content-Type' => 'text/x',
        Accept => 'text/plain');
    is_deeply(
        [ @$taken{qw(stream api resource method key body)} ],
        [
            'edge:req:ordering', 'callback', 'callback', 'POST',
            'aZ09_.~-',          '[1,{"a":null}]'
        ],
        'go to the stream of orders'
    );
    is($answer->{status}, 200, 'are answered');
    ($taken) = through(0, 'POST', "$path?a=b");
    ok(!exists $taken->{body}, 'the body may be missing');
    is($taken->{query}, 'a=b', 'the query is kept');
    is_error(ask('POST', $path, '{"a":'), 400, 'not JSON');
    is_error(ask('POST', $path, '"' . 'x' x 65_535 . '"'), 413, 'too large');
    ($taken) = through(0, 'POST', $path, '"' . 'x' x 65_534 . '"');
    is(length $taken->{body}, 65_536, 'the largest');
    is_error(ask('GET',  $path), 405, 'GET');
    is_error(ask('POST', '/turnup/v1/callback/'),              404, 'no token');
    is_error(ask('POST', '/turnup/v1/callback/a/b'),           404, 'a path');
    is_error(ask('POST', '/turnup/v1/callback/a%2Bb'),         404, 'a plus');
    is_error(ask('POST', '/turnup/v1/callback/' . 'x' x 257),  404, 'too long');
    ($taken) = through(0, 'POST', '/turnup/v1/callback/' . 'x' x 256);
    is($taken->{key}, 'x' x 256, 'the longest');
    ok($worker->idle, 'nothing else is on the streams');
};

subtest 'a subrequest' => sub {
    my $client = client()->send('GET', '/checked');
    my ($taken) = $worker->take(1);
    $worker->answer($taken, 200, '{}');
    like($client->answer->{body}, qr/load_module/, 'lets the parent go on');
    $client->send('GET', '/checked');
    ($taken) = $worker->take(1);
    $worker->answer($taken, 403, '{}');
    is($client->answer->{status}, 403, 'or not');
};

subtest 'configurations' => sub {
    my $good   = http_conf();
    my $server = sub { "server { listen 127.0.0.1:%%PORT3%%; $_[0] }" };
    my @wrong  = (
        [ qr/need "tmf_redis"/, $server->('location / { tmf_api all; }') ],
        [ qr/need "tmf_redis"/, $server->('location / { tmf_health; }') ],
        [ qr/port/, 'tmf_redis 127.0.0.1:99999;' ],
        [ qr/not a database/, 'tmf_redis unix:/x db=a;' ],
        [ qr/argument 2/, 'tmf_redis unix:/x pasword=geheim;' ],
        [ qr/user= without/, 'tmf_redis unix:/x user=a;' ],
        [ qr/too long a prefix/, 'tmf_redis unix:/x prefix=' . 'p' x 65 . ';' ],
        [ qr/duplicate/, "tmf_redis unix:/x;\ntmf_redis unix:/y;" ],
        [ qr/takes ordering/, $server->('location / { tmf_api some; }') ],
        [ qr/duplicate/,
            $server->('location / { tmf_api all; tmf_api all; }') ],
        [ qr/only handler/,
            $server->('location / { tmf_api all; tmf_metrics; }') ],
        [ qr/not an http/, 'tmf_public_base ftp://x;' ],
        [ qr/not an http/, 'tmf_public_base https://;' ],
        [ qr/invalid value/, 'tmf_state_profile loose;' ],
        [ qr/must be/, 'tmf_max_pending 0;' ],
        [ qr/must be/, 'tmf_max_pending 100000;' ],
    );
    for (@wrong) {
        my ($pattern, $text) = @$_;
        ok(!$nginx->test($text), "refused: $text");
        like($nginx->{verdict}, $pattern, 'and says why');
        unlike($nginx->{verdict}, qr/geheim/, 'but not the password');
    }
    ok($nginx->test($good), 'accepted: the one in use')
      or diag($nginx->{verdict});
    ok($nginx->test('tmf_redis unix:/nowhere;'), 'accepted: Redis alone');
    ok($nginx->test(''),                         'accepted: nothing at all');
};

# What nginx -t has said is no alarm.
end_edge(qr/\[emerg\] \d+#\d+: .*(?:nginx\.conf|tmf_redis)/);
done_testing;
