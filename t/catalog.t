# Service specifications by API, orders against what was posted a moment ago,
# versions side by side, and listeners of all three APIs.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use RawHttp;
use Turnup;

my $t        = Turnup->start(families => quick_families());
my $listener = $t->listener;
my $catalog  = SPECS =~ s{/[^/]+$}{}r;
subscribe($t, SPECS, $listener);

my $true = JSON::PP::true;

sub spec {
    my ($id) = @_;
    return $t->get(SPECS . "/$id");
}

sub patch {
    my ($id, $body, @rest) = @_;
    return $t->patch(SPECS . "/$id", $body, @rest);
}

sub types_told {
    my ($id) = @_;
    return join ' ', map { $_->{eventType} } told($listener, $id);
}

# An order for a specification of one's own, and how it ends.
sub ordered_of {
    my ($id, $version, %value) = @_;
    my $reply = post_order($t, [ item('1', 'add', {
        serviceSpecification =>
            { id => $id, $version ? (version => $version) : () },
        serviceCharacteristic =>
            [ map { { name => $_, value => $value{$_} } } sort keys %value ],
    }) ]);
    $reply->{status} == 201 or die "$reply->{status} $reply->{content}\n";
    my $order;
    $t->wait_for(WAIT, sub {
        $order = order($t, $reply->{json}{id});
        $order->{state} =~ /^(?:completed|failed|rejected)$/;
    });
    return $order;
}

subtest 'create, read, list' => sub {
    my $reply = $t->post(SPECS, { name => 'Made', 'x-own' => [ 1, 2 ] });
    is($reply->{status}, 201, 'created') or diag($reply->{content});
    my $made = $reply->{json};
    like($made->{id}, qr/^[0-9a-f-]{36}$/, 'with an id of ours');
    is($reply->{headers}{location}, $t->url . SPECS . "/$made->{id}",
        'Location');
    is($made->{href},    $reply->{headers}{location}, 'href');
    is($made->{version}, '1.0',                       'version');
    is($made->{lifecycleStatus}, 'Active', 'lifecycleStatus');
    is($made->{isBundle}, JSON::PP::false, 'isBundle');
    is($made->{'@type'},  'ServiceSpecification', '@type');
    like($made->{lastUpdate}, qr/^\d{4}-.*\.\d{3}Z$/, 'lastUpdate');
    is_deeply($made->{'x-own'}, [ 1, 2 ], 'what we do not know');
    is_deeply(spec($made->{id})->{json}, $made, 'GET gives the same');
    my ($listed) = grep { $_->{id} eq $made->{id} }
        @{ $t->get(SPECS)->{json} };
    is_deeply($listed, $made, 'so does the list');

    $reply = $t->post(SPECS, { id => 'Own.Id', name => 'Named',
        version => '2.5-beta', lifecycleStatus => 'In design',
        isBundle => $true, '@type' => 'CustomerFacing',
        lastUpdate => '2001-01-01T00:00:00Z' });
    is($reply->{status}, 201, 'with an id of one\'s own');
    my $own = $reply->{json};
    is($own->{id},              'Own.Id',         'id as sent');
    is($own->{version},         '2.5-beta',       'version as sent');
    is($own->{lifecycleStatus}, 'In design',      'lifecycleStatus as sent');
    is($own->{isBundle},        $true,            'isBundle as sent');
    is($own->{'@type'},         'CustomerFacing', '@type as sent');
    isnt($own->{lastUpdate}, '2001-01-01T00:00:00Z', 'but for lastUpdate');
    is_error($t->post(SPECS, { id => 'Own.Id', name => 'Again',
        version => '2.5-beta' }), 409, 'the same once more', '/version');
    is(spec('Own.Id')->{json}{name}, 'Named', 'the first one stays');
    $t->wait_for(WAIT, sub { types_told('Own.Id') }, 'told');
    is(types_told('Own.Id'), 'ServiceSpecificationCreateEvent', 'once');
    is_deeply(resource((told($listener, 'Own.Id'))[0]), $own, 'as it is');
};

subtest 'refused' => sub {
    my $before = $t->get(SPECS)->{headers}{'x-total-count'};
    my @bad    = (
        [ 'no name',      {},                           '/name' ],
        [ 'null name',    { name => undef },            '/name' ],
        [ 'number',       { name => 7 },                '/name' ],
        [ 'blank name',   { name => '  ' },             '/name' ],
        [ 'id',           { name => 'x', id => 'a/b' }, '/id' ],
        [ 'id ..',        { name => 'x', id => '..' },  '/id' ],
        [ 'long id',      { name => 'x', id => 'a' x 256 }, '/id' ],
        [ 'id no text',   { name => 'x', id => 7 },     '/id' ],
        [ 'version',      { name => 'x', version => 'a b' }, '/version' ],
        [ 'version no text', { name => 'x', version => 1.0 }, '/version' ],
        [ 'isBundle',     { name => 'x', isBundle => 'no' }, '/isBundle' ],
        [ 'list',  { name => 'x', specCharacteristic => {} },
            '/specCharacteristic' ],
        [ 'characteristic without name',
            { name => 'x', specCharacteristic => [ {} ] },
            '/specCharacteristic/0/name' ],
        [ 'cardinality', { name => 'x', specCharacteristic =>
            [ { name => 'c', minCardinality => 'one' } ] },
            '/specCharacteristic/0/minCardinality' ],
        [ 'date', { name => 'x', validFor => { startDateTime => 'now' } },
            '/validFor/startDateTime' ],
        [ 'party', { name => 'x', relatedParty => [ { name => 'y' } ] } ],
    );
    for (@bad) {
        my ($name, $body, $pointer) = @$_;
        is_error($t->post(SPECS, $body), 400, $name, $pointer);
    }
    is_error($t->post(SPECS, $_), 400, "body $_")
        for '', '[]', '"x"', 'null', '{', '{"name":"x"}{}', '{"name":"\u0000"}';
    is_error($t->post(SPECS, '{"name":"x"}', { 'Content-Type' => $_ }),
        415, $_)
        for 'text/xml', 'application/merge-patch+json',
        'application/json;charset=latin1';
    is_error($t->request('PUT', SPECS . '/Own.Id', { name => 'x' }),
        405, 'PUT');
    is_error($t->delete(SPECS), 405, 'DELETE of all');
    is_error(spec('none'), 404, 'GET of none');
    is_error(patch('none', { name => 'x' }), 404, 'PATCH of none');
    is_error($t->delete(SPECS . '/none'), 404, 'DELETE of none');
    is($t->get(SPECS)->{headers}{'x-total-count'}, $before, 'nothing came');
};

subtest 'PATCH is a merge patch' => sub {
    my $id = 'Patch.Me';
    $t->post(SPECS, {
        id => $id, name => 'Before', description => 'old',
        'x-keep' => { a => 1, b => { c => 2 } },
        relatedParty => [ { id => '1', '@referredType' => 'A' } ],
        specCharacteristic => [ { name => 'one' }, { name => 'two' } ],
    });
    my $before = spec($id)->{json};
    my $reply  = patch($id, {
        description => undef, lifecycleStatus => 'Launched',
        'x-keep' => { a => undef, b => { d => 3 } },
        specCharacteristic => [ { name => 'three' } ],
    });
    is($reply->{status}, 200, 'patched') or diag($reply->{content});
    my $after = $reply->{json};
    ok(!exists $after->{description}, 'null deletes');
    is($after->{name}, 'Before',   'what is not named stays');
    is($after->{lifecycleStatus}, 'Launched', 'a text is replaced');
    is_deeply($after->{'x-keep'}, { b => { c => 2, d => 3 } },
        'objects are merged');
    is_deeply($after->{specCharacteristic}, [ { name => 'three' } ],
        'lists are replaced');
    is_deeply($after->{relatedParty}, $before->{relatedParty}, 'others not');
    cmp_ok($after->{lastUpdate}, 'ge', $before->{lastUpdate}, 'lastUpdate');
    is_deeply(spec($id)->{json}, $after, 'GET gives the same');
    $t->wait_for(WAIT, sub { types_told($id) =~ /Change/ }, 'told');
    like(types_told($id), qr/^ServiceSpecificationCreateEvent
            \ ServiceSpecification(?:AttributeValue)?ChangeEvent$/x,
        'the creation first');
    is((patch($id, { name => 'After' }, { 'Content-Type' =>
        'application/json' }))->{json}{name}, 'After', 'as plain JSON');
    is(patch($id, {})->{status}, 200, 'nothing to change');
    is(patch($id, { id => $id, version => '1.0' })->{status}, 200,
        'what is not changed may be named');

    $before = spec($id)->{json};
    my @bad = (
        [ { id => 'other' },        '/id' ],
        [ { version => '9' },       '/version' ],
        [ { href => 'http://x/y' }, '/href' ],
        [ { id => undef } ],
        [ { name => undef },        '/name' ],
        [ { name => '' },           '/name' ],
        [ { isBundle => 'x' },      '/isBundle' ],
        [ { specCharacteristic => [ {} ] } ],
    );
    for (@bad) {
        my ($body, $pointer) = @$_;
        is_error(patch($id, $body), 400, text_of($body), $pointer);
    }
    is_error(patch($id, $_), 400, "body $_")
        for '', '[]', '[{"op":"remove","path":"/name"}]', '"x"', '{"name":}';
    is_error(patch($id, '{}', { 'Content-Type' => $_ }), 415, $_)
        for 'application/json-patch', 'text/plain';
    is_deeply(spec($id)->{json}, $before, 'nothing was changed');
};

# A PATCH by operations; query: with conditions in the paths.
sub operate {
    my ($id, $operations, $query) = @_;
    my $type = $query ? 'json-patch-query' : 'json-patch';
    return patch($id, $operations,
        { 'Content-Type' => "application/$type+json" });
}

subtest 'PATCH is a JSON Patch' => sub {
    my $id = 'Patch.Ops';
    $t->post(SPECS, {
        id => $id, name => 'Before', description => 'old',
        'x-keep' => { 'a/b' => [ 1, 2, 3 ] },
        specCharacteristic => [
            { name => 'one', valueType => 'string' },
            { name => 'two', valueType => 'number' },
        ],
    });
    my $reply = operate($id, [
        { op => 'test', path => '/name', value => 'Before' },
        { op => 'replace', path => '/name', value => 'After' },
        { op => 'remove', path => '/description' },
        { op => 'move', from => '/x-keep/a~1b/0', path => '/x-keep/a~1b/-' },
        { op => 'copy', from => '/name', path => '/x-name' },
        { op => 'add', path => '/specCharacteristic/0',
            value => { name => 'zero' } },
        { op => 'add', path => '/specCharacteristic',
            value => { name => 'three' } },
        { op => 'test', path => '/id', value => $id },
    ]);
    is($reply->{status}, 200, 'patched') or diag($reply->{content});
    my $after = $reply->{json};
    is($after->{name}, 'After', 'replaced');
    ok(!exists $after->{description}, 'removed');
    is_deeply($after->{'x-keep'}, { 'a/b' => [ 2, 3, 1 ] }, 'moved');
    is($after->{'x-name'}, 'After', 'copied');
    is(join(' ', map { $_->{name} } @{ $after->{specCharacteristic} }),
        'zero one two three', 'added');
    is_deeply(spec($id)->{json}, $after, 'GET gives the same');
    $t->wait_for(WAIT, sub { types_told($id) =~ /Change/ }, 'told');

    $reply = operate($id, [
        { op => 'replace', value => 'integer', path =>
            '/specCharacteristic/valueType?specCharacteristic.name=two' },
        { op => 'remove', path =>
            '/specCharacteristic?specCharacteristic.name=zero,three' },
    ], 1);
    is($reply->{status}, 200, 'by what is in a list')
        or diag($reply->{content});
    is_deeply($reply->{json}{specCharacteristic}, [
        { name => 'one', valueType => 'string' },
        { name => 'two', valueType => 'integer' },
    ], 'the elements that were meant');
    is(operate($id, [])->{status}, 200, 'nothing to do');
};

subtest 'a JSON Patch that cannot be done changes nothing' => sub {
    my $id     = 'Patch.Ops';
    my $before = spec($id)->{json};
    my $first  = { op => 'replace', path => '/name', value => 'Lost' };
    my $one    = '/specCharacteristic?specCharacteristic.name=one';
    my @bad    = (
        [ 400, '/1/path', { op => 'remove', path => '/none' } ],
        [ 400, '/1/path', { op => 'remove', path => 'name' } ],
        [ 400, '/1/path',
            { op => 'add', path => '/specCharacteristic/9', value => {} } ],
        [ 400, '/1/path',
            { op => 'move', from => '/x-keep', path => '/x-keep/a' } ],
        [ 400, '/1/from', { op => 'copy', from => '/none', path => '/x' } ],
        [ 400, '/1/path', { op => 'remove', path => $one } ],
        [ 409, '/1/value', { op => 'test', path => '/name', value => 'B' } ],
        [ 409, '/1/path', { op => 'test', path => '/none', value => 1 } ],
        # by the edge
        [ 400, '/1/op', { op => 'append', path => '/x', value => 1 } ],
        [ 400, '/1/value', { op => 'add', path => '/x' } ],
        # by the tables
        [ 400, '/id', { op => 'replace', path => '/id', value => 'x' } ],
        [ 400, '/id', { op => 'remove', path => '/id' } ],
        [ 400, '/href', { op => 'add', path => '/href', value => '/x' } ],
        [ 400, '/version', { op => 'replace', path => '/version',
            value => '2' } ],
        [ 400, '/lastUpdate', { op => 'replace', path => '/lastUpdate',
            value => '2030-01-01T00:00:00Z' } ],
        [ 400, '/name', { op => 'remove', path => '/name' } ],
        [ 400, '/isBundle', { op => 'replace', path => '/isBundle',
            value => 'no' } ],
        [ 400, '/specCharacteristic/2/name',
            { op => 'add', path => '/specCharacteristic', value => {} } ],
        [ 400, '', { op => 'replace', path => '', value => [] } ],
    );
    for (@bad) {
        my ($status, $pointer, $operation) = @$_;
        my $reply = operate($id, [ $first, $operation ]);
        is_error($reply, $status, text_of($operation));
        is($reply->{json}{pointer} // '', $pointer, 'pointer');
    }
    my @unknown = (
        '/specCharacteristic/name',
        '/specCharacteristic?specCharacteristic.name=nine',
        '/specCharacteristic?name=one',
        '/specCharacteristic?specCharacteristic.name',
    );
    for my $path (@unknown) {
        is_error(operate($id, [ $first, { op => 'remove', path => $path } ],
            1), 400, $path, '/1/path');
    }
    is_error(operate($id, $_), 400, "body $_")
        for '', '{}', '[7]', '[{"op":"remove","path":"/name"}', '"x"';
    is_error(operate('none', [ $first ]), 404, 'PATCH of none');
    is_deeply(spec($id)->{json}, $before, 'nothing was changed');
};

subtest 'DELETE' => sub {
    $t->post(SPECS, { id => 'Short.Lived', name => 'x' });
    is($t->delete(SPECS . '/Short.Lived')->{status}, 204, 'deleted');
    is_error(spec('Short.Lived'), 404, 'is gone');
    is_error(patch('Short.Lived', {}), 404, 'is not to be changed');
    is_error($t->delete(SPECS . '/Short.Lived'), 404, 'once');
    is($t->get(SPECS . '?id=Short.Lived')->{content}, '[]', 'not listed');
    is(ordered_of('Short.Lived')->{state}, 'rejected', 'nor to be ordered');
    $t->wait_for(WAIT, sub { types_told('Short.Lived') =~ /Delete/ }, 'told');
    is($t->post(SPECS, { id => 'Short.Lived', name => 'y' })->{status},
        201, 'it may come again');
    is(spec('Short.Lived')->{json}{name}, 'y', 'as another');
};

subtest 'orders and what was posted a moment before' => sub {
    for my $n (1 .. 10) {
        my $id = "Fresh.$n";
        is($t->post(SPECS, { id => $id, name => $id })->{status}, 201, $id);
        my $order = ordered_of($id);
        is($order->{state}, 'rejected', 'no family activates it');
        like(errors($order), qr/^noFamily/, 'but it is known');
    }

    # the family's own specification, changed
    my $id    = 'Voip.Line';
    my $codec = sub { return ordered_of($id, '1.0', codec => $_[0]) };
    is($codec->('G.1')->{state}, 'completed', 'any codec at first');
    my $spec = spec($id)->{json};
    my @characteristics = map {
        $_->{name} eq 'codec'
            ? { name => 'codec', valueType => 'string', regex => 'X[0-9]' }
            : $_
    } @{ $spec->{specCharacteristic} };
    is(patch($id, { specCharacteristic => \@characteristics })->{status},
        200, 'a rule more');
    is($codec->('G.1')->{state}, 'rejected',  'is obeyed at once');
    is($codec->('X1')->{state},  'completed', 'as far as it goes');
    is(patch($id, { lifecycleStatus => 'Retired' })->{status},
        200, 'retired');
    my $order = $codec->('X1');
    like(errors($order), qr/^inactiveSpecification/, 'not to be ordered');
    is(patch($id, { lifecycleStatus => 'Active',
        specCharacteristic => $spec->{specCharacteristic} })->{status},
        200, 'as it was');
    is($codec->('G.1')->{state}, 'completed', 'and orders are taken');
};

subtest 'versions side by side' => sub {
    is($t->post(SPECS, { id => 'Two', name => "v$_", version => $_ })
        ->{status}, 201, "version $_") for '1.0', '2.0';
    my $list = $t->get(SPECS . '?id=Two');
    is($list->{headers}{'x-total-count'}, 2, 'both are listed');
    is(join(' ', map { $_->{name} } @{ $list->{json} }), 'v1.0 v2.0',
        'each with its own');
    is($t->get(SPECS . '/Two?version=1.0')->{json}{name}, 'v1.0', 'by name');
    is($t->get(SPECS . '/Two?version=2.0')->{json}{name}, 'v2.0', 'either');
    is($t->get(SPECS . '/Two')->{json}{name}, 'v2.0', 'else the newest');
    is_error($t->get(SPECS . '/Two?version=3.0'), 404, 'no third');
    for my $case ([ '1.0', 'noFamily' ], [ '2.0', 'noFamily' ],
        [ '3.0', 'unknownSpecification' ])
    {
        my ($version, $code) = @$case;
        like(errors(ordered_of('Two', $version)), qr/^$code/,
            "ordered in version $version");
    }
    is($t->post(SPECS, { id => 'Voip.Line', name => 'Next',
        version => '2.0' })->{status}, 201, 'a version nobody activates');
    is(ordered_of('Voip.Line', '1.0', codec => 'a')->{state}, 'completed',
        'does not stand in the way of the one before');
    like(errors(ordered_of('Voip.Line', '2.0')), qr/^noFamily/, 'itself not');
};

subtest 'hub, on all three APIs' => sub {
    my %path = (
        ServiceOrder         => ORDERS,
        Service              => SERVICES,
        ServiceSpecification => SPECS,
    );
    my (%heard, %sub);
    for my $name (sort keys %path) {
        my $hub = $path{$name} =~ s{[^/]+$}{hub}r;
        $heard{$name} = $t->listener;
        my $reply = $t->post($hub,
            { callback => $heard{$name}->url, query => '' });
        is($reply->{status}, 201, "$name: registered");
        $sub{$name} = $reply->{json}{id};
        is($reply->{json}{callback}, $heard{$name}->url, 'callback');
        is($reply->{headers}{location},
            $t->url . "$hub/$sub{$name}", 'Location');
        is_error($t->post($hub, $_->[0]), 400, "$name: $_->[1]", $_->[2])
            for [ {}, 'no callback', '/callback' ],
            [ { callback => 'here' },         'no URL',  '/callback' ],
            [ { callback => 'ftp://x/' },     'ftp',     '/callback' ],
            [ { callback => 'file:///etc' },  'file',    '/callback' ],
            [ { callback => 7 },              'number',  '/callback' ],
            [ { callback => $heard{$name}->url, query => 'a=b' },
                'no eventType', '/query' ],
            [ { callback => $heard{$name}->url, query => 'eventType=No' },
                'no such event', '/query' ];
        is_error($t->get($hub), 405, "$name: no list");
    }

    # a request that is delivered twice, as after a worker's death
    my $stream = 'turnup:req:catalog';
    my $rows   = $t->sql('select count(*) from hub_subscription');
    my $client = RawHttp->connect($t->{port}->number);
    $t->freeze('intake');
    $client->send('POST', "$catalog/hub",
        encode_json({ callback => $listener->url . '/twice' }));
    $t->wait_for(WAIT, sub { $t->redis('XLEN', $stream) == 1 }, 'asked');
    like($t->redis('EVAL', "local e = redis.call('XREVRANGE', KEYS[1],"
            . " '+', '-', 'COUNT', 1)[1]; return redis.call('XADD', KEYS[1],"
            . " '*', unpack(e[2]))", 1, $stream),
        qr/^\d+-\d+$/, 'and delivered twice');
    $t->thaw('intake');
    is($client->answer->{status}, 201, 'registered');
    $t->wait_for(WAIT, sub { $t->redis('XLEN', $stream) == 0 }, 'all done');
    is($t->sql('select count(*) from hub_subscription'), $rows + 1, 'once');

    my $done = ends($t, ordered($t, internet('1'))->{id}, 'completed');
    my $id   = $done->{serviceOrderItem}[0]{service}{id};
    $t->post(SPECS, { id => 'Heard', name => 'x' });
    patch('Heard', { name => 'y' });
    $t->delete(SPECS . '/Heard');
    $t->wait_for(WAIT, sub {
        states_told($heard{ServiceOrder}, $done->{id}) =~ /completed/
            && states_told($heard{Service}, $id) =~ /active/
            && told($heard{ServiceSpecification}, 'Heard') == 3;
    }, 'each hears of its own');
    for my $name (sort keys %heard) {
        my @events = $heard{$name}->events;
        is(join(' ', grep { !/^$name[A-Z]/ || ($name eq 'Service'
            && /^Service(?:Order|Specification)/) }
            map { $_->{eventType} } @events), '', "$name: nothing else");
        my ($bad) = grep {
            !$_->{eventId} || ($_->{eventTime} // '') !~ /Z$/
                || keys %{ $_->{event} } != 1
                || (keys %{ $_->{event} })[0] ne lcfirst $name
        } @events;
        is($bad, undef, 'every event is whole') or diag(text_of($bad));
        my $hub = $path{$name} =~ s{[^/]+$}{hub}r;
        is($t->delete("$hub/$sub{$name}")->{status}, 204, 'unregistered');
        is_error($t->delete("$hub/$sub{$name}"), 404, 'once');
        is_error($t->delete("$hub/$_"), 404, "no $_") for 'x', '%27';
    }
    my ($gone) = grep { $_->{eventType} =~ /Delete/ }
        told($heard{ServiceSpecification}, 'Heard');
    is(resource($gone)->{id}, 'Heard', 'the deletion names it');
};

subtest 'once' => sub {
    my $key  = { 'Idempotency-Key' => 'spec-1' };
    my $body = { name => 'Once' };
    my $made = $t->post(SPECS, $body, $key);
    is($made->{status}, 201, 'created') or diag($made->{content});
    my $again = $t->post(SPECS, $body, $key);
    is($again->{status}, 201, 'sent again');
    is_deeply($again->{json}, $made->{json}, 'the same answer');
    is($again->{headers}{location}, $made->{headers}{location}, 'Location');
    is($again->{headers}{etag}, $made->{headers}{etag}, 'ETag');
    is(@{ $t->get(SPECS . '?name=Once')->{json} }, 1, 'made once');
    is_error($t->post(SPECS, { name => 'Other' }, $key), 409,
        'the key for another body');
    is($t->delete(SPECS . "/$made->{json}{id}")->{status}, 204, 'deleted');
    is_error($t->post(SPECS, $body, $key), 409, 'and not made again');
    is(@{ $t->get(SPECS . '?name=Once')->{json} }, 0, 'really not');

    # What the stream delivers twice, without any key.
    $t->redis('XADD', 'turnup:req:catalog', '*', 'id', 'twice-1', 'reply-to',
        'turnup:rep:twice', 'api', 'catalog', 'version', 'v4', 'method',
        'POST', 'resource', 'serviceSpecification', 'base', $t->url,
        'content-type', 'application/json', 'body', '{"name":"Twice"}')
        for 1, 2;
    $t->wait_for(WAIT, sub {
        (() = $t->redis('XRANGE', 'turnup:rep:twice', '-', '+')
            =~ /^201$/mg) == 2;
    }, 'both are answered');
    is(@{ $t->get(SPECS . '?name=Twice')->{json} }, 1, 'made once');
};

$t->stop;
done_testing;
