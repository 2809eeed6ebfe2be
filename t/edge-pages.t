# The edge's two pages for operators, /health and /metrics, and its documents
# for clients, /openapi and /schemas.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use Test::More;
use Edge;
use FakeWorker;
use JSON::PP;

start_edge();

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

# One request for each of the counters looked at below.
sub be_busy {
    through(0, @$_)
      for [ GET => $order ], [ HEAD => $order ], [ GET => $service ],
      [ GET => $spec ];
    for ([ 201, 'POST', $order, $valid ], [ 204, 'DELETE', "$spec/1" ]) {
        my ($status, @request) = @$_;
        my $client = client()->send(@request);
        $worker->answer($worker->take(1), $status, $status == 201 && '{}');
        is($client->answer->{status}, $status, "@request[0, 1]");
    }
    my $path = '/turnup/v1/callback/t';
    is_error(ask('POST', $path, '"' . 'x' x 70_000 . '"'), 413, $path);
    is_error(ask('GET', '/nothing'), 404, 'no API');
    is_error(ask('BREW', $order), 405, 'no method');
    is_error(ask('POST', $order, '', 'Content-Length' => BODY_MAX + 1),
        413, 'refused by nginx');
    my $client = client(1)->send('GET', $order);
    my ($taken) = $worker->take(1);
    is_error($client->answer, 504, 'no answer');
    $client->send('GET', $order);
    ($taken) = $worker->take(1);
    $worker->reply($taken, $taken->{id} => 'x');
    is_error($client->answer, 500, 'no frame');
}

subtest 'metrics' => sub {
    be_busy();
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
      for qw(timeout bad_reply invalid);
    is($sample{"turnup_refusals_total{reason=\"$_\"}"}, 0, "refusals: $_")
      for qw(no_redis link_lost not_queued no_worker queue_full no_slot);
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

subtest 'openapi' => sub {
    my %path = (
        serviceOrdering          => '/serviceOrder',
        serviceInventory         => '/service/{id}',
        serviceCatalogManagement => '/serviceSpecification',
    );
    for my $api (sort keys %path) {
        my $answer = ask('GET', "/openapi/$api/v4.json");
        is($answer->{status}, 200, $api);
        is($answer->{headers}{'content-type'}, 'application/json', 'type');
        is($answer->{json}{openapi}, '3.0.3', 'the version of OpenAPI');
        is($answer->{json}{servers}[0]{url}, "../../tmf-api/$api/v4",
            'the server, relative to the document');
        ok($answer->{json}{paths}{ $path{$api} }{get}, "$path{$api} is there");
        is(ask('HEAD', "/openapi/$api/v4.json")->{headers}{'content-length'},
            length $answer->{body}, 'HEAD');
    }
    ok($worker->idle, 'no worker is asked');
};

subtest 'schemas' => sub {
    my $answer = ask('GET', '/schemas/serviceOrdering/v4/Note.json');
    is($answer->{json}{title}, 'Note', 'a type');
    like($answer->{json}{'$schema'}, qr{/2020-12/}, 'its draft');
    is_deeply($answer->{json}{required}, ['text'], 'as one API has it');
    is_deeply(
        [ sort @{
            ask('GET', '/schemas/serviceInventory/v4/Note.json')
              ->{json}{required}
        } ],
        [qw(author date text)],
        'as another'
    );
    my $any = ask('GET', '/schemas/Note.json')->{json}{anyOf};
    is_deeply(
        [ map { $_->{'$ref'} } @$any ],
        [ map {"$_/Note.json"} qw(serviceOrdering/v4 serviceInventory/v4
            serviceInventory/v5) ],
        'the name for both'
    );

    # What is referred to is there.
    my (%seen, @documents);
    my @todo = map {"/schemas/$_.json"} qw(ServiceOrder Service
      ServiceSpecification EventSubscription Error);
    while (my $path = shift @todo) {
        next if $seen{$path}++;
        my $type = ask('GET', $path);
        is($type->{status}, 200, $path);
        push @documents, $type->{json};
        my $dir = $path =~ s{[^/]*$}{}r;
        push @todo, map {"$dir$_"} $type->{body} =~ /"\$ref":"([^"]*)"/g;
    }
    cmp_ok(scalar keys %seen, '>', 60, 'all of them');

    # By the word of a validator of another hand.
    open my $check, '|-', '/usr/bin/python3', '-c', <<~'PYTHON' or die "$!\n";
        import json, sys
        from jsonschema import Draft202012Validator
        for schema in json.load(sys.stdin):
            Draft202012Validator.check_schema(schema)
        PYTHON
    print $check JSON::PP->new->utf8->encode(\@documents);
    ok(close $check, 'all are JSON Schema');
};

subtest 'documents and HTTP' => sub {
    my $path   = '/openapi/serviceOrdering/v4.json';
    my $answer = ask('GET', $path);
    my $tag    = $answer->{headers}{etag};
    like($tag, qr/^"[0-9a-f]{32}"$/, 'an ETag');
    is(ask('GET', $path)->{headers}{etag}, $tag, 'which stays');
    isnt(ask('GET', '/openapi/serviceInventory/v4.json')->{headers}{etag},
        $tag, 'and is of one document');
    my $same = ask('GET', $path, undef, 'If-None-Match' => "\"x\", $tag");
    is($same->{status},        304,  'If-None-Match');
    is($same->{headers}{etag}, $tag, 'with the ETag');
    is($same->{body},          '',   'without a body');
    is(ask('GET', $path, undef, 'If-None-Match' => '"x"')->{status},
        200, 'of another');
    is(ask('GET', $path, undef, 'If-Match' => $tag)->{status}, 200,
        'If-Match');
    is_error(ask('GET', $path, undef, 'If-Match' => '"x"'), 412, 'If-Match');
    is_error(ask('GET', $path, undef, 'If-None-Match' => 'x'),
        400, 'no entity tag');
    is_error(ask('GET', $path, undef, 'Accept' => 'text/html'), 406, 'Accept');
    for my $method (qw(POST PATCH DELETE)) {
        my $refused = ask($method, $path, $method eq 'DELETE' ? undef : '{}');
        is_error($refused, 405, $method);
        is($refused->{headers}{allow}, 'GET, HEAD, OPTIONS', 'Allow');
    }
    is(ask('OPTIONS', $path)->{headers}{allow}, 'GET, HEAD, OPTIONS',
        'OPTIONS');
    for my $none (
        qw(/openapi/ /openapi /openapi/serviceOrdering/v5.json
        /openapi/serviceOrdering/v4.json/ /openapi/ordering/v4.json /schemas/
        /schemas/Nothing.json /schemas/.json /schemas/Note
        /schemas/serviceOrdering/v4/Service.json
        /schemas/serviceOrdering/v5/Note.json)
      )
    {
        is_error(ask('GET', $none), 404, $none);
    }
    my $one = '/openapi/serviceInventory/v4.json';
    is(client(2)->send('GET', $one)->answer->{status},
        200, 'where its API is served');
    is_error(client(2)->send('GET', $path)->answer, 404,
        'where another API is');
    ok($worker->idle, 'no worker is asked');
};

end_edge();
done_testing;
