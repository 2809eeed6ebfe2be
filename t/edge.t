# The edge: nginx with this module, a Redis of its own, and the workers in the
# test's own hands. What a client may send and gets back, what reaches the
# streams, and what happens when Redis, workers or clients go away.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use FakeWorker;
use Nginx;
use Process;
use RawHttp;
use Redis;
use RedisServer;

use constant {
    SECONDS      => 15,       # for anything that is awaited
    TEST_SECONDS => 500,
    SLOTS        => 40,       # tmf_max_pending
    BODY_MAX     => 200_000,
    PASSWORD     => 'se cret',
};

my $order   = '/tmf-api/serviceOrdering/v4/serviceOrder';
my $service = '/tmf-api/serviceInventory/v4/service';
my $spec = '/tmf-api/serviceCatalogManagement/v4/serviceSpecification';
my $valid =
  '{"serviceOrderItem":[{"id":"1","action":"add","service":{}}]}';

local $SIG{ALRM} = sub { die 'no end after ' . TEST_SECONDS . " s\n" };
local $SIG{INT} = local $SIG{TERM} = sub { exit 1 };
alarm TEST_SECONDS;

my $dir = tempdir('turnup-edge-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/$_" for qw(nginx redis);

my $redis = RedisServer->start("$dir/redis", '--requirepass', PASSWORD);
my $nginx = Nginx->start(
    dir  => "$dir/nginx",
    san  => $ENV{TURNUP_SAN},
    http => http_conf(),
);
my ($worker, %member);
my $db = $redis->client;
$db->ask('SELECT', 1);
revive();

sub http_conf {
    my $address = $redis->address;
    return <<"CONF";
access_log off;
tmf_redis $address "password=@{[ PASSWORD ]}" db=1 prefix=edge:;
tmf_max_pending @{[ SLOTS ]};
client_max_body_size @{[ BODY_MAX ]};
client_body_buffer_size 8k;
server {
    listen 127.0.0.1:%%PORT%%;
    location / { tmf_api all; }
    location = /health  { tmf_health; }
    location = /metrics { tmf_metrics; }
    location = /checked {
        auth_request $service/1;
        alias %%DIR%%/nginx.conf;
    }
}
server {
    listen 127.0.0.1:%%PORT1%%;
    tmf_timeout 300ms;
    tmf_trust_forwarded on;
    tmf_state_profile strict;
    tmf_subject \$http_x_subject;
    location / { tmf_api all; }
}
server {
    listen 127.0.0.1:%%PORT2%%;
    tmf_public_base https://api.example.net/turnup/;
    location /tmf-api/serviceInventory/ {
        tmf_api inventory;
        limit_except GET { deny all; }
    }
    location /tmf-api/serviceOrdering/ { tmf_api ordering; tmf_queue_max 3; }
    location /turnup/ { tmf_api inventory; }
}
CONF
}

# Redis is empty: workers as they come back.
sub revive {
    $worker = FakeWorker->new(
        $redis->address,
        prefix   => 'edge:',
        password => PASSWORD,
        db       => 1
    );
    $member{$_} = $worker->heartbeat($_)
      for qw(intake notify keeper family:voip);
    wait_for(sub { health()->{status} == 200 }, 'healthy');
}

sub wait_for {
    my ($condition, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return wait_until(SECONDS, $condition) || fail("never: $name");
}

sub client { return RawHttp->connect($nginx->port(shift)) }

# One request on a connection of its own, to the first port.
sub ask    { return client()->send(@_)->answer }
sub health { return ask('GET', '/health') }

# A request that a worker answers; returns the request taken and the answer.
sub through {
    my ($port, @request) = @_;
    my $client = client($port)->send(@request);
    my ($taken) = eval { $worker->take(1) }
      or die "@request[0, 1]: $@", explain($client->answer);
    $worker->answer($taken, 200, '{"ok":true}');
    return ($taken, $client->answer);
}

# An answer with this status whose body is a TMF error.
sub is_error {
    my ($answer, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error = $answer->{json} // {};
    my $good =
         $answer->{status} == $status
      && ($answer->{headers}{'content-type'} // '') eq
      'application/json;charset=utf-8'
      && ref $error eq 'HASH'
      && ($error->{'@type'} // '') eq 'Error'
      && ($error->{code}   // '') =~ /^\d+$/
      && length($error->{reason}  // '')
      && length($error->{message} // '')
      && $answer->{body} =~ /"status":"$status"/;
    ok($good, "$status $name")
      or diag(explain($answer));
    return $good;
}

sub metrics { return ask('GET', '/metrics')->{body} }

# The value of one sample, 0 where it is not there.
sub metric {
    my ($name) = @_;
    return metrics() =~ /^\Q$name\E (\S+)$/m ? $1 : 0;
}

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
        [ 404, 'version v5',       GET => '/tmf-api/serviceOrdering/v5/serviceOrder' ],
        [ 404, 'no resource',      GET => '/tmf-api/serviceOrdering/v4/' ],
        [ 404, 'unknown resource', GET => '/tmf-api/serviceOrdering/v4/x' ],
        [ 404, 'below an id',      GET => "$order/1/note" ],
        [ 404, 'too long a name',  GET => "/tmf-api/serviceOrdering/v4/" . 'x' x 3000 ],
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
        [ 406, 'Accept: text/html', GET => $order, undef, Accept => 'text/html' ],
        [ 406, 'JSON excluded', GET => $order, undef,
            Accept => '*/*, application/json;q=0' ],
        [ 406, 'an empty Accept', GET => $order, undef, Accept => '' ],
        [ 415, 'a form', POST => $order, $valid,
            'Content-Type' => 'application/x-www-form-urlencoded' ],
        [ 415, 'no Content-Type', POST => $order, $valid, 'Content-Type' => undef ],
        [ 415, 'Latin-1', POST => $order, $valid,
            'Content-Type' => 'application/json;charset=iso-8859-1' ],
        [ 415, 'a merge-patch POST', POST => $order, $valid,
            'Content-Type' => 'application/merge-patch+json' ],
        [ 415, 'a json-patch', PATCH => "$spec/1", '[]',
            'Content-Type' => 'application/json-patch+json' ],
        [ 415, 'gzip', POST => $order, $valid, 'Content-Encoding' => 'gzip' ],
        [ 400, 'no body',    POST => $order ],
        [ 400, 'empty body', POST => $order, '' ],
        [ 400, 'empty chunked body', POST => $order, "0\r\n\r\n",
            'Transfer-Encoding' => 'chunked' ],
        [ 400, 'not JSON',   POST => $order, '{"serviceOrderItem":[' ],
        [ 400, 'a list',     POST => $order, '[]' ],
        [ 400, 'no items',   POST => $order, '{}' ],
        [ 400, 'NUL in a text', POST => $order, '{"description":"\u0000"}' ],
        [ 400, 'not UTF-8',     POST => $order, qq({"description":"\xff"}) ],
        [ 400, 'a PATCH of a wrong type', PATCH => "$spec/1", '{"description":1}' ],
        [ 400, 'a hub that is no URL', POST => $hub, '{"callback":"x"}' ],
        [ 400, 'limit=x',    GET => "$order?limit=x" ],
        [ 400, 'offset=-1',  GET => "$order?offset=-1" ],
        [ 400, 'an operator', GET => "$order?priority.gt=1" ],
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
    is(ask('GET', $order, undef, Accept => 'text/html')->{json}{code},
        '62', 'an error has its code');

    is(ask('PUT', "$spec/1", $valid)->{headers}{allow},
        'GET, HEAD, PATCH, DELETE, OPTIONS', 'Allow of an item');
    $answer = ask('OPTIONS', $order);
    is($answer->{status},         204,                        'OPTIONS');
    is($answer->{headers}{allow}, 'GET, HEAD, POST, OPTIONS', 'its Allow');
    my $client = client()->send('HEAD', '/nothing')
      ->send('GET', "$order?limit=x");
    is($client->answer->{status}, 404, 'an error to HEAD has no body');
    is_error($client->answer, 400, 'and the connection lives on');
};

subtest 'not in this release' => sub {
    my @rows = grep { $_->[1] } map {
        my $path = "/tmf-api/serviceCatalogManagement/v4/$_";
        [ $_, ask('OPTIONS', $path)->{status} == 204 ]
    } qw(importJob exportJob);
    is(scalar @rows, 2, 'the jobs of TMF633 are known');
    my $jobs = '/tmf-api/serviceCatalogManagement/v4/importJob';
    is_error(ask('POST', $jobs, '{"url":"http://x/"}'), 501, 'POST importJob');
    is_error(ask('GET', "$jobs/1"),       501, 'GET importJob');
    is_error(ask('PATCH', "$jobs/1", '{}'), 405, 'PATCH importJob');
    is_error(ask('POST', "$jobs/1", '{}'), 405, 'POST on one importJob');
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
    $client->write(join '', map { RawHttp::request('GET', "$order/$_") } 1 .. 5);
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

subtest 'health' => sub {
    my $answer = health();
    is($answer->{headers}{'content-type'}, 'application/health+json', 'type');
    is($answer->{headers}{'cache-control'}, 'no-store', 'not to be cached');
    is($answer->{json}{status},   'pass', 'status');
    is($answer->{json}{postgres}, 'up',   'postgres');
    is_deeply(
        $answer->{json}{pools},
        { intake => 1, notify => 1, keeper => 1, family => 1 },
        'pools'
    );
    is(ask('HEAD', '/health')->{status},       200, 'HEAD');
    is(ask('POST', '/health', '')->{status}, 405, 'POST');
    for my $pool (qw(notify keeper family:voip)) {
        $worker->die_out($member{$pool});
        wait_for(sub { health()->{status} == 503 }, "$pool is missed");
        is(health()->{json}{pools}{ $pool =~ s/:.*//r }, 0, "$pool is missed");
        $worker->heartbeat($pool);
        wait_for(sub { health()->{status} == 200 }, "$pool is back");
    }
    $worker->heartbeat('keeper', details => { postgres => JSON::PP::false });
    wait_for(sub { health()->{status} == 503 }, 'PostgreSQL is missed');
    is(health()->{json}{postgres}, 'down', 'PostgreSQL is missed');
    my (undef, $fine) = through(0, 'GET', $order);
    is($fine->{status}, 200, 'requests go on to the intake, which knows more');
    $worker->heartbeat('keeper');
    wait_for(sub { health()->{status} == 200 }, 'healthy');

    # Heartbeats that are none.
    $worker->heartbeat('keeper', pid => 7, text => '{"postgres":tr');
    wait_for(sub { health()->{status} == 503 }, 'an unreadable heartbeat');
    $worker->die_out("keeper:test:7");
    $db->ask('ZADD', 'edge:workers', 9e15, $_)
      for 'x', ':', '::', 'a:b', ':b:1', "in\"ject:h:1", 'pool:h:', "a\xff:h:1";
    wait_for(sub { health()->{status} == 200 }, 'strange names are left out');
    is(scalar @{ health()->{json}{workers} }, 4, 'all four workers');
    $db->ask('ZREM', 'edge:workers', 'x', ':', '::', 'a:b', ':b:1',
        "in\"ject:h:1", 'pool:h:', "a\xff:h:1");
};

subtest 'metrics' => sub {
    $worker->heartbeat(
        'intake',
        pid     => 77,
        details => {
            families => { 'leased-line' => 'abc', 'b"ad' => 'x' },
            counters => {
                batches_total => 12,
                lag_seconds   => 0.5,
                'Bad Name'    => 1,
                up            => 9,
                text          => 'x',
            },
        }
    );
    $db->ask('XADD', 'edge:fam:leased-line', '1000-0', 'a', 'b');
    $db->ask('XGROUP', 'CREATE', 'edge:fam:leased-line', 'family', 0);
    wait_for(sub {
        metric('turnup_queue_depth{stream="fam:leased-line"}') == 1
    }, 'the queue of a family');
    my $text = metrics();
    is_deeply([ format_faults($text) ], [], 'format');
    my %sample = map { /^(\S+(?:\{.*\})?) (\S+)$/ ? ($1 => $2) : () }
      split /\n/, $text;
    my $labels = '{pool="intake",host="test",pid="77"}';
    my %wanted = (
        'turnup_redis_up'                                     => 1,
        'turnup_pending'                                      => 0,
        'turnup_worker_up{pool="intake"}'                     => 2,
        'turnup_worker_up{pool="family:voip"}'                => 1,
        "turnup_worker_batches_total$labels"                  => 12,
        "turnup_worker_lag_seconds$labels"                    => 0.5,
        'turnup_queue_depth{stream="req:catalog"}'            => 0,
        'turnup_queue_depth{stream="fam:voip"}'               => 0,
        'turnup_queue_lag{stream="fam:leased-line"}'          => 1,
        'turnup_queue_pending{stream="fam:leased-line"}'      => 0,
        'turnup_queue_oldest_age_seconds{stream="req:catalog"}' => 0,
    );
    is($sample{$_}, $wanted{$_}, $_) for sort keys %wanted;
    ok($sample{'turnup_queue_oldest_age_seconds{stream="fam:leased-line"}'}
          > 1e9, 'age');
    ok($sample{"turnup_refusals_total{reason=\"$_\"}"} > 0, "refusals: $_")
      for qw(no_redis link_lost not_queued no_worker queue_full no_slot
      timeout bad_reply invalid);
    ok($sample{"turnup_requests_total{$_}"}, "requests: $_")
      for 'api="ordering",method="POST",status="201"',
      'api="ordering",method="HEAD",status="200"',
      'api="inventory",method="GET",status="200"',
      'api="catalog",method="GET",status="200"',
      'api="callback",method="POST",status="413"',
      'api="none",method="GET",status="404"',
      'api="none",method="POST",status="413"',
      'api="catalog",method="DELETE",status="204"',
      'api="ordering",method="other",status="405"';
    is(ask('GET', '/metrics')->{headers}{'content-type'},
        'text/plain; version=0.0.4; charset=utf-8', 'type');
    is(ask('POST', '/metrics', '')->{status}, 405, 'POST');
};

# What is not Prometheus' text format 0.0.4: each metric with HELP and TYPE,
# its samples together, no sample twice, histograms complete and growing.
sub format_faults {
    my ($text) = @_;
    my (@faults, %type, %help, %seen, %done, %last, %count, $now);
    $now = '';
    push @faults, 'no newline at the end' if $text !~ /\n\z/;
    for (split /\n/, $text) {
        if (/^# HELP ([a-z_]+) \S.*$/) { $help{$1}++ && push @faults, $_ }
        elsif (/^# TYPE ([a-z_]+) (counter|gauge|histogram)$/) {
            push @faults, $_ if $type{$1} || !$help{$1};
            $done{$now} = 1;
            ($now, $type{$1}) = ($1, $2);
            push @faults, "$_: again" if $done{$1};
        }
        elsif (
            my ($name, $labels, $value) = /^([a-z_]+)
              (?:\{((?:[a-z_]+="[^"\\\n]*",?)+)\})?\ (-?[0-9.eE+-]+)$/x
          )
        {
            push @faults, "$_: twice" if $seen{$name}{ $labels // '' }++;
            my $family = $name;
            $family =~ s/_(bucket|sum|count)$//
              if ($type{ $name =~ s/_(bucket|sum|count)$//r } // '') eq
              'histogram';
            push @faults, "$_: not under its head" if $family ne $now;
            push @faults, "$_: counter without _total"
              if $type{$family} eq 'counter' && $name !~ /_total$/;
            if ($name =~ /_bucket$/) {
                my $series = $labels =~ s/,?le="[^"]*"//r;
                push @faults, "$_: shrinks" if $value < ($last{$series} // 0);
                $last{$series} = $value;
                $count{$series} = $value if $labels =~ /le="\+Inf"/;
            }
            push @faults, "$_: not its +Inf"
              if $name =~ /_count$/ && $value != ($count{$labels} // -1);
        }
        else { push @faults, $_ }
    }
    return @faults;
}

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
my @alarms = grep { !/\[emerg\] \d+#\d+: .*(?:nginx\.conf|tmf_redis)/ }
  $nginx->alarms;

# Two workers of nginx: what they count is one sum.
subtest 'several workers of nginx' => sub {
    ok($nginx->quit, 'nginx stops gracefully');
    push @alarms, grep { /open socket|aborting/ } $nginx->alarms;
    mkdir "$dir/two";
    my %before = map { $_ => 1 } @{ $db->ask('KEYS', 'edge:rep:*') };
    my $conf = http_conf() =~ s/(%%PORT%%);/$1 reuseport;/r;
    $nginx = Nginx->start(
        dir     => "$dir/two",
        san     => $ENV{TURNUP_SAN},
        http    => $conf,
        workers => 2,
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
    ok($nginx->quit, 'nginx stops gracefully');
};

push @alarms, grep { !/exited on signal 9/ } $nginx->alarms;
is(join('', grep { !/exited on signal 9/ } @alarms), '',
    'no alarm in the log of nginx');
$nginx->{dir} = $_ for "$dir/nginx";
my @reports = $nginx->reports;
$nginx->{dir} = "$dir/two";
is(join("\n", @reports, $nginx->reports), '', 'no sanitizer report');
$redis->stop;
done_testing;
