# Records of the inventory that their owner writes: TMF638's POST, PATCH and
# DELETE of a service, beside the orders that change services (S2-93, S2-94).
use v5.32;
use strict;
use warnings;
use IO::Handle;
use JSON::PP;
use Test::More;
use Api;
use RawHttp;
use Turnup;

my $true     = JSON::PP::true;
my $false    = JSON::PP::false;
my $t        = Turnup->start(families => quick_families());
my $listener = $t->listener;
my ($port)   = $t->url =~ /(\d+)$/;
my $json     = JSON::PP->new->utf8->canonical;
subscribe($t, SERVICES, $listener);

use constant {
    JSON_PATCH  => { 'Content-Type' => 'application/json-patch+json' },
    QUERY_PATCH => { 'Content-Type' => 'application/json-patch-query+json' },
};

sub of_spec { return { id => $_[0], version => '1.0' } }

# A telephone line as it would be after an order, activated by others.
sub line {
    my ($number, %rest) = @_;
    return {
        state                 => 'active',
        operatingStatus       => 'running',
        name                  => "Line $number",
        category              => 'CFS',
        serviceType           => 'voice',
        serviceSpecification  => of_spec('Voip.Line'),
        serviceCharacteristic => [
            map { { name => $_->[0], value => $_->[1] } }
                [ codec       => 'G.722' ], [ telephoneNumber => $number ],
                [ numberRange => 'geographic' ],
                [ numberPool  => 'number-geographic' ],
        ],
        %rest
    };
}

sub posted {
    my ($body, %headers) = @_;
    my $reply = $t->post(SERVICES, $body, \%headers);
    $reply->{status} == 201
        or die "POST: $reply->{status} $reply->{content}\n";
    return $reply->{json};
}

sub patched {
    my ($id, $body, $headers) = @_;
    my $reply = $t->patch(SERVICES . "/$id", $body, $headers);
    $reply->{status} == 200
        or die "PATCH: $reply->{status} $reply->{content}\n";
    return $reply->{json};
}

sub tag { return $t->get(SERVICES . "/$_[0]")->{headers}{etag} }

sub raw_tag {
    return RawHttp->connect($port)->send('GET', SERVICES . "/$_[0]")
        ->answer->{headers}{etag};
}

sub timeline {
    my ($id) = @_;
    return join ' ', $t->sql('select timeline from'
            . " entity_instance_configuration where instance_id = '$id'"
            . ' order by valid_from, timeline desc');
}

sub value_of {
    my ($service, $name) = @_;
    my ($found) = grep { $_->{name} eq $name }
        @{ $service->{serviceCharacteristic} };
    return $found && $found->{value};
}

sub without { my ($of, @names) = @_; my %copy = %$of; delete @copy{@names};
    return \%copy }

# What stays of a service whatever is done to it.
sub identity {
    my ($s) = @_;
    return text_of({ map { $_ => $s->{$_} }
            qw(id href serviceDate externalIdentifier) });
}

# Does the other one hold all of it: members of objects, entries of lists?
sub holds {
    my ($whole, $part) = @_;
    if (ref $part eq 'HASH') {
        return ref $whole eq 'HASH'
            && !grep { !holds($whole->{$_}, $part->{$_}) } keys %$part;
    }
    if (ref $part eq 'ARRAY') {
        return 0 if ref $whole ne 'ARRAY';
        for my $entry (@$part) {
            return 0 if !grep { holds($_, $entry) } @$whole;
        }
        return 1;
    }
    return defined $whole && !ref($whole) == !ref($part)
        && "$whole" eq "$part" if defined $part;
    return !defined $whole;
}

sub count { return $t->sql('select count(*) from entity_instance') }

sub types_told {
    my ($id) = @_;
    return join ' ',
        map { ($_->{eventType} =~ s/^Service|Event$//gr)
            . '=' . (resource($_)->{state} // '') }
        told($listener, $id);
}

# Something the database does first, while the request waits for what it has
# locked: ($lock, $request, $change). The answer to the request.
sub overtaken {
    my ($lock, $request, $change) = @_;
    open my $psql, '|-', 'psql', '-AtXq', '-v', 'ON_ERROR_STOP=1', '-h',
        $t->sockets, '-U', 'turnup', '-d', 'turnup', '-o', '/dev/null'
        or die "psql: $!\n";
    $psql->autoflush;
    print {$psql} "BEGIN; SET application_name = 'first'; $lock;\n";
    $t->wait_for(WAIT, sub {
        $t->sql(q{SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'first'
            AND state = 'idle in transaction'}) > 0;
    }, 'one is there before');
    my $client = RawHttp->connect($port)->send(@$request);
    $t->wait_for(WAIT, sub {
        $t->sql(q{SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock'}) > 0;
    }, 'the other has read and waits');
    print {$psql} "$change; COMMIT;\n";
    ok(close($psql), 'the first one is through');
    return $client->answer;
}

subtest 'POST of the least' => sub {
    my $reply = $t->post(SERVICES,
        { state => 'designed', serviceSpecification => { id => 'Their.Own' } });
    is($reply->{status}, 201, 'created') or diag($reply->{content});
    my $s    = $reply->{json};
    my $path = SERVICES . "/$s->{id}";
    is($reply->{headers}{location}, $t->url . $path, 'its Location');
    is($s->{href},                  $t->url . $path, 'is its href');
    is($reply->{headers}{etag},     tag($s->{id}),   'its ETag');
    is($t->get($path)->{content}, $reply->{content}, 'as a GET shows it');
    is($s->{state},               'designed',        'state');
    like($s->{serviceDate}, qr/^20\d\d-.*Z$/, 'serviceDate');
    is($s->{'@type'},           'Service', '@type');
    is($s->{versionStateType},  'CURRENT', 'version');
    is($s->{hasStarted},        $false,    'not started');
    is($s->{serviceOrderItem},  undef,     'no order');
    is($s->{operatingStatus},   undef,     'no operating status');
    like($s->{externalIdentifier}[0]{id}, qr/^SVC-\d+$/, 'a key');
    is(timeline($s->{id}), 'CURRENT', 'one configuration');
    is($t->get(SERVICES . "?serviceDate=$s->{serviceDate}")->{json}[0]{id},
        $s->{id}, 'found by its date');
    $t->wait_for(WAIT, sub { told($listener, $s->{id}) }, 'told');
    my ($event) = told($listener, $s->{id});
    is($event->{eventType}, 'ServiceCreateEvent', 'as created');
    is_deeply(
        without(resource($event), 'serviceSpecification', 'href'),
        without($s, 'serviceSpecification', 'href'), 'all of it');
};

subtest 'a whole document is given back' => sub {
    my $body = line(
        '+420299999001',
        id          => 'mine',
        href        => 'http://x/',
        version     => 'mine',
        description => "<b>\x{159}</b> \"quoted\" \\ / \x{1F600}",
        startDate   => '2020-01-01T00:00:00+02:00',
        endDate     => '2040-01-01T00:00:00Z',
        serviceDate => '2019-05-01T10:00:00.123+02:00',
        startMode   => '3',
        isServiceEnabled => $false,
        isBundle         => $true,
        isStateful       => $false,
        '@type'          => 'VersionedService',
        note => [ { text => 'n', author => 'a', date =>
            '2020-01-01T00:00:00Z', 'x-own' => [ 1.5, undef ] } ],
        place => [ { role => 'installation', id => '7', deep =>
            { a => [ {} ] } } ],
        relatedParty => [ { id => 'p-1', '@referredType' => 'Individual' } ],
        externalIdentifier => [ { id => 'crm-7', owner => 'crm' } ],
        serviceOrderItem =>
            [ { serviceOrderId => 'old', itemId => '1' } ],
        supportingResource => [ { id => 'port-1', own => 1 } ],
        serviceCharacteristic => [
            { name => 'codec', value => 'G.722', valueType => 'string',
                id => 'c1' },
            { name => 'nested', value => { b => [ 1, { c => undef } ] },
                '@type' => 'ObjectCharacteristic' },
        ],
        'x-extension' => { list => [ 1, 'two', $false, undef ] },
    );
    my $s = posted($body);
    isnt($s->{id}, 'mine', 'its id is ours');
    is($s->{serviceDate}, '2019-05-01T08:00:00.123Z', 'serviceDate as UTC');
    my $sent = without($body, qw(id href version serviceDate));
    ok(holds($s, $sent), 'nothing is lost') or diag(text_of($s));
    is($s->{hasStarted}, $true, 'what was not said follows the state');
    is(scalar @{ $s->{externalIdentifier} }, 2, 'beside our key');
    for my $query ('name=Line%20%2B420299999001', 'category=CFS',
        'serviceType=voice', 'operatingStatus=running', 'state=active',
        'isServiceEnabled=false', 'isBundle=true', 'hasStarted=true',
        'relatedParty.id=p-1', 'supportingResource.id=port-1',
        'serviceCharacteristic.value=G.722', '@type=VersionedService',
        'serviceSpecification.id=Voip.Line',
        'serviceDate=2019-05-01T08:00:00.123Z',
        'serviceDate.lt=2019-06-01T00:00:00Z')
    {
        my $list = $t->get(SERVICES . "?fields=id&$query")->{json};
        ok((grep { $_->{id} eq $s->{id} } @$list), "found by $query");
    }
    for my $query ('isServiceEnabled=true', 'isBundle=false',
        '@type=Service', 'serviceType=other')
    {
        my $list = $t->get(SERVICES . "?fields=id&$query")->{json};
        ok(!(grep { $_->{id} eq $s->{id} } @$list), "not by $query");
    }
};

subtest 'POST that is refused' => sub {
    my $before = count();
    my @cases  = (
        [ undef,                    '/state',         state => undef ],
        [ 'retired',                '/state',         state => 'retired' ],
        [ 'begins terminated',      '/state',         state => 'terminated' ],
        [ 'begins suspended',       '/state',         state => 'suspended' ],
        [ 'an operating status',    '/operatingStatus',
            operatingStatus => 'well' ],
        [ 'no specification',       '/serviceSpecification',
            serviceSpecification => undef ],
        [ 'a specification without id', '/serviceSpecification/id',
            serviceSpecification => {} ],
        [ 'a blank id',             '/serviceSpecification/id',
            serviceSpecification => { id => ' ' } ],
        [ 'serviceDate',            '/serviceDate', serviceDate => '2020' ],
        [ 'startDate',              '/startDate',   startDate   => 'x' ],
        [ 'name',                   '/name',        name        => 7 ],
        [ 'isBundle',               '/isBundle',    isBundle    => 'x' ],
        [ 'a note without author',  '/note/0/author',
            note => [ { text => 'x', date => '2020-01-01T00:00:00Z' } ] ],
        [ 'a characteristic without value', '/serviceCharacteristic/0/value',
            serviceCharacteristic => [ { name => 'x' } ] ],
        [ 'a characteristic twice', '/serviceCharacteristic',
            serviceCharacteristic =>
                [ map { { name => 'x', value => $_ } } 1, 2 ] ],
        [ 'against the specification', '/serviceCharacteristic/1/value',
            serviceCharacteristic => [ { name => 'codec', value => 'a' },
                { name => 'numberRange', value => 'NO WAY' } ] ],
        [ 'a value of another type', '/serviceCharacteristic/0/value',
            serviceCharacteristic => [ { name => 'codec', value => 7 } ] ],
        [ 'what is mandatory',      '/serviceCharacteristic',
            serviceSpecification => of_spec('Internet.Service') ],
        [ 'what is mandatory inside',
            '/serviceCharacteristic/0/value/internetBandwidth',
            serviceSpecification  => of_spec('Internet.Service'),
            serviceCharacteristic =>
                [ { name => 'internetService', value => {} } ] ],
    );
    for my $case (@cases) {
        my ($name, $pointer, %change) = @$case;
        my $body = line('+420299999002', %change);
        delete $body->{$_} for grep { !defined $body->{$_} } keys %$body;
        is_error($t->post(SERVICES, $body), 400, $name // 'no state',
            $pointer);
    }
    is_error($t->post(SERVICES, ''),   400, 'no body');
    is_error($t->post(SERVICES, '[]'), 400, 'a list');
    is_error($t->post(SERVICES . '/x', {}), 405, 'POST on one');
    is(count(), $before, 'nothing is stored');

    my $odd = posted({ state => 'active', serviceSpecification =>
        { id => 'Voip.Line', version => '9', href => 'http://there/',
            name => 'Theirs' },
        serviceCharacteristic => [ { name => 'codec', value => 7 } ] });
    is(value_of($odd, 'codec'), 7, 'no version of ours: not checked');
    is($odd->{serviceSpecification}{href}, 'http://there/', 'nor named by us');
    is(posted({ state => 'active', serviceSpecification =>
        { id => 'Voip.Line' } })->{serviceSpecification}{version}, '1.0',
        'without a version: the newest');
};

subtest 'Idempotency-Key' => sub {
    my $body   = line('+420299999003', note => []);
    my $before = count();
    my %key    = ('Idempotency-Key' => 'svc-1');
    my $s      = posted($body, %key);
    is(posted($body, %key)->{id}, $s->{id}, 'the same service');
    is_error($t->post(SERVICES, line('+420299999004'), \%key), 409,
        'another body');
    is(count(), $before + 1, 'once');
    my @add = ([ { op => 'add', path => '/note', value =>
        { text => 't', author => 'a', date => '2020-01-01T00:00:00Z' } } ],
        { %{ +JSON_PATCH }, 'Idempotency-Key' => 'svc-2' });
    patched($s->{id}, @add) for 1 .. 2;
    is(scalar @{ service($t, $s->{id})->{note} }, 1, 'a PATCH too');
    is(timeline($s->{id}), 'HISTORY CURRENT', 'is done once');
    patched($s->{id}, { state => 'terminated' });
    for (1 .. 2) {
        is($t->delete(SERVICES . "/$s->{id}", undef,
            )->{status}, $_ == 1 ? 204 : 404, "DELETE $_");
    }
    is_error($t->post(SERVICES, $body, \%key), 409, 'what is deleted');
};

subtest 'PATCH in all dialects' => sub {
    my $s  = posted(line('+420299999005', description => 'd',
        note => [ map { { text => $_, author => $_,
            date => '2020-01-01T00:00:00Z' } } 'John', 'Mary' ]));
    my $id = $s->{id};
    my $p  = patched($id, { description => undef, serviceType => 'v2',
        operatingStatus => 'degraded' });
    ok(!exists $p->{description}, 'null removes');
    is($p->{serviceType},     'v2',       'a text');
    is($p->{operatingStatus}, 'degraded', 'the operating status');
    is(identity($p), identity($s), 'what stays');
    isnt($p->{version}, $s->{version}, 'another version');
    is(timeline($id), 'HISTORY CURRENT', 'the old one is HISTORY');
    is($t->sql('select count(*) from entity_instance_configuration h join'
        . ' entity_instance_configuration c using (instance_id) where'
        . " instance_id = '$id' and h.timeline = 'HISTORY' and c.timeline ="
        . " 'CURRENT' and h.valid_to = c.valid_from and h.valid_from <"
        . " h.valid_to and c.valid_to is null and h.service_type = 'voice'"),
        1, 'and ends where the new one begins');
    is($t->sql("select id from entity_instance_configuration where timeline ="
        . " 'HISTORY' and instance_id = '$id'"), $s->{version}, 'as it was');
    my $tag = $t->patch(SERVICES . "/$id", { serviceType => 'v3' })
        ->{headers}{etag};
    is($tag, tag($id), 'its ETag');

    $p = patched($id, [
        { op => 'test',    path => '/serviceType', value => 'v3' },
        { op => 'replace', path => '/serviceCharacteristic/0/value',
            value => 'G.729' },
        { op => 'add', path => '/serviceCharacteristic/-',
            value => { name => 'extra', value => 1 } },
        { op => 'remove', path => '/note/0' },
    ], JSON_PATCH);
    is(value_of($p, 'codec'), 'G.729', 'JSON Patch replaces');
    is(value_of($p, 'extra'), 1,       'and adds');
    is(value_of($p, 'telephoneNumber'), '+420299999005', 'the others stay');
    is($p->{note}[0]{text}, 'Mary', 'and removes');
    $p = patched($id, [ { op => 'replace', path =>
        '/note/text?note.author=Mary', value => 'new' } ], QUERY_PATCH);
    is($p->{note}[0]{text}, 'new', 'and by conditions');
    is($t->patch(SERVICES . "/$id", { name => 'N' },
        { 'Content-Type' => 'application/json' })->{json}{name}, 'N',
        'application/json');
    is_error($t->patch(SERVICES . "/$id", '<a/>',
        { 'Content-Type' => 'text/xml' }), 415, 'XML');
    my $configurations = timeline($id);
    is(patched($id, { name => 'N', id => $id,
        serviceDate => $s->{serviceDate} })->{version},
        service($t, $id)->{version}, 'nothing changed');
    is(timeline($id), $configurations, 'and no new version');
};

subtest 'what a PATCH tells' => sub {
    my $id = posted(line('+420299999006', description => 'd'))->{id};
    patched($id, { state => 'inactive' });
    patched($id, { description => 'e', place => [ { role => 'r' } ] });
    patched($id, { state => 'active', operatingStatus => 'failed',
        description => undef });
    patched($id, { description => undef });
    patched($id, { state => 'terminated' });
    $t->delete(SERVICES . "/$id");
    $t->wait_for(WAIT, sub { types_told($id) =~ /Delete/ }, 'all is told');
    is(types_told($id), 'Create=active StateChange=inactive'
        . ' AttributeValueChange=inactive StateChange=active'
        . ' AttributeValueChange=active StateChange=terminated'
        . ' Delete=terminated', 'each once, in order')
        or diag(text_of([ told($listener, $id) ]));
    my @told = map { resource($_) } told($listener, $id);
    is($told[2]{description}, 'e', 'what has changed');
    is($told[2]{place}[0]{role}, 'r', 'also an object');
    is(join(' ', map { $_->{fieldPath} // '-' } told($listener, $id)),
        '- - description,place - operatingStatus,description - -',
        'its names');
    ok(!exists $told[1]{description}, 'not what has not');
    is($told[4]{operatingStatus}, 'failed', 'the operating status');
    ok(exists $told[4]{description} && !defined $told[4]{description},
        'and what is gone');
    is(value_of($told[1], 'codec'), 'G.722', 'characteristics');
};

subtest 'PATCH that is refused' => sub {
    my $s      = posted(line('+420299999007'));
    my $id     = $s->{id};
    my $before = $t->get(SERVICES . "/$id")->{content};
    my @cases  = (
        [ 400, '/id',                    id          => 'other' ],
        [ 400, '/id',                    id          => undef ],
        [ 400, '/href',                  href        => 'http://x/1' ],
        [ 400, '/serviceDate', serviceDate => '2020-01-01T00:00:00.000Z' ],
        [ 400, '/serviceDate',           serviceDate => undef ],
        [ 400, '/version',               version     => 'x' ],
        [ 400, '/versionStateType',      versionStateType => 'PENDING' ],
        [ 400, '/state',                 state       => 'retired' ],
        [ 400, '/state',                 state       => undef ],
        [ 409, '/state',                 state       => 'designed' ],
        [ 409, '/state',                 state       => 'reserved' ],
        [ 409, '/state',                 state => 'feasibilityChecked' ],
        [ 400, '/operatingStatus',       operatingStatus => 'fine' ],
        [ 400, '/serviceSpecification',  serviceSpecification => undef ],
        [ 400, '/serviceSpecification/id',
            serviceSpecification => { id => undef } ],
        [ 400, '/name',                  name => 7 ],
        [ 400, '/note/0/author',         note => [ { text => 'x' } ] ],
        [ 400, '/externalIdentifier/0/id', externalIdentifier =>
            [ { owner => 'turnup', externalIdentifierType => 'KEY',
                id => 'SVC-1' } ] ],
        [ 400, '/serviceCharacteristic/0/value', serviceCharacteristic =>
            [ { name => 'codec', value => 7 } ] ],
        [ 400, '/serviceCharacteristic', serviceCharacteristic =>
            [ map { { name => 'x', value => $_ } } 1, 2 ] ],
        [ 400, '/serviceCharacteristic',
            serviceSpecification => of_spec('Internet.Service') ],
    );
    for (@cases) {
        my ($status, $pointer, %change) = @$_;
        is_error($t->patch(SERVICES . "/$id", \%change), $status,
            $json->encode(\%change), $pointer);
    }
    is_error($t->patch(SERVICES . "/$id", [ { op => 'test', path => '/name',
        value => 'x' } ], JSON_PATCH), 409, 'a test that fails', '/0/value');
    is_error($t->patch(SERVICES . "/$id", [ { op => 'remove',
        path => '/gone' } ], JSON_PATCH), 400, 'nothing there', '/0/path');
    is_error($t->patch(SERVICES . "/$_", { name => 'x' }), 404, "no $_")
        for '01a20133-08d7-72b5-b605-8252fc014c6f', 'none';
    is($t->get(SERVICES . "/$id")->{content}, $before, 'it is as it was');
    is(timeline($id), 'CURRENT', 'in its one version');

    patched($id, { state => 'terminated' });
    my $end = service($t, $id);
    like($end->{endDate} // '', qr/^20.*Z$/, 'what ends has an end');
    is($end->{isServiceEnabled}, $false, 'and is not enabled');
    is(scalar(grep { $_->{id} eq $id } @{ $t->get(SERVICES
        . "?endDate=$end->{endDate}")->{json} }), 1, 'is found by it');
    is_error($t->patch(SERVICES . "/$id", { name => 'x' }), 409,
        'what has ended is not changed', '/state');
    is(patched($id, { state => 'active', name => 'x' })->{endDate}, undef,
        'but may begin again');
};

subtest 'a service of an order' => sub {
    my $item = voip('1');
    $item->{service}{note} = [ { text => 'no author' } ];
    my $done = ends($t, ordered($t, $item)->{id}, 'completed');
    my $id   = $done->{serviceOrderItem}[0]{service}{id};
    my $s    = service($t, $id);
    my $p    = patched($id, { description => 'by hand' });
    is($p->{description}, 'by hand', 'is changed');
    is_deeply(
        without($p, 'description', grep { /^version/ } keys %$p),
        without($s, grep { /^version/ } keys %$s), 'and nothing else');
    is_error($t->delete(SERVICES . "/$id"), 409, 'is active: not removed');
    $p = patched($id, { state => 'inactive' });
    is($p->{hasStarted}, $false, 'what was derived is again');
    my $held = 'select count(*) from resource_allocation where holder =';
    is_error($t->delete(SERVICES . "/$id"), 409, 'holds a number');
    is($t->sql("$held '$id'"), 1, 'which stays its own');
    patched($id, { state => 'active' });
    ends($t, ordered($t, change('1', $id, codec => 'G.729'))->{id},
        'completed', 'an order changes it afterwards');
    $s = service($t, $id);
    is($s->{description}, 'by hand', 'and leaves what it does not speak of');
    is($s->{operatingStatus}, 'running', 'also the operating status');
    patched($id, { state => 'terminated' });
    is($t->sql("$held '$id'"), 0, 'terminated: its number is free');
    is($t->delete(SERVICES . "/$id")->{status}, 204, 'and it is removed');
};

subtest 'orders on a service that was posted' => sub {
    my $id = posted(line('+420299999008', description => 'd'))->{id};
    my $s  = service($t, $id);
    my $order = ordered($t, change('1', $id, codec => 'G.729'));
    ends($t, $order->{id}, 'completed');
    my $p = service($t, $id);
    is(value_of($p, 'codec'), 'G.729', 'modified');
    is(subscriber($t, 'sbc', $id)->{codec}, 'G.729', 'in the network');
    is(value_of($p, 'telephoneNumber'), '+420299999008', 'the number stays');
    is($p->{$_}, $s->{$_}, "its $_")
        for qw(name category serviceType operatingStatus description state
        serviceDate);
    is(identity($p), identity($s), 'it is the same one');
    is($p->{serviceOrderItem}[0]{serviceOrderId}, $order->{id},
        'its order is named');
    ok((grep { $_->{id} eq $id } @{ $t->get(SERVICES
        . '?category=CFS&serviceType=voice&fields=id')->{json} }),
        'and it is still found');
    is(timeline($id), 'HISTORY CURRENT', 'in its timeline');
    ends($t, ordered($t, removal('1', $id))->{id}, 'completed');
    is(service($t, $id)->{state}, 'terminated', 'deleted by an order');
    is(join(' ', grep { /\Q$id\E/ } keys %{ $t->sim('GET', '/_state')
        ->{json} }), '', 'from the network, too');
    is($t->delete(SERVICES . "/$id")->{status}, 204, 'and removed');
    my $done = ends($t, ordered($t, change('1', $id, codec => 'a'))->{id},
        'rejected', 'an order on what is gone');
    like(errors($done), qr/unknownService/, 'says why');

    my $other = posted({ state => 'active', serviceSpecification =>
        { id => 'Their.Own' } })->{id};
    $done = ends($t, ordered($t, removal('1', $other))->{id}, 'rejected',
        'nobody activates what is not ours');
    like(errors($done), qr/unknownSpecification/, 'says why');
};

subtest 'while an order changes it' => sub {
    my $id   = posted(line('+420299999009'))->{id};
    my $slow = rule($t, target => 'sbc', method => 'PUT',
        action => { delayMs => 2000 });
    my $order = ordered($t, change('1', $id, codec => 'G.729'));
    for (1, 2) {
        my $e = is_error($t->patch(SERVICES . "/$id", { name => "x$_" }),
            409, 'PATCH');
        like($e->{message}, qr/\Q$order->{id}\E/, 'names the order');
        is_error($t->delete(SERVICES . "/$id"), 409, 'DELETE');
        $t->wait_for(WAIT, sub { timeline($id) =~ /PENDING/ },
            'also when it is PENDING') if $_ == 1;
    }
    my $add = ordered($t, voip('1'));
    my $new = $add->{serviceOrderItem}[0]{service}{id};
    $t->wait_for(WAIT, sub { service($t, $new)->{state} }, 'one being added');
    my $e = is_error($t->patch(SERVICES . "/$new", { name => 'x' }), 409,
        'PATCH of it');
    like($e->{message}, qr/\Q$add->{id}\E/, 'names its order');
    is_error($t->delete(SERVICES . "/$new"), 409, 'DELETE of it');
    like(errors(ends($t, ordered($t, change('1', $new, codec => 'x'))->{id},
        'rejected', 'an order on it')), qr/serviceBusy/, 'says why');
    $t->sim('DELETE', "/_rules/$slow");
    ends($t, $_, 'completed') for $order->{id}, $add->{id};
    is(patched($id, { name => 'after' })->{name}, 'after', 'then it may');
    is(value_of(service($t, $id), 'codec'), 'G.729', 'over what the order did');
};

subtest 'conditions and others' => sub {
    my $id   = posted(line('+420299999010'))->{id};
    my $path = SERVICES . "/$id";
    my $tag  = tag($id);
    is_error($t->patch($path, { name => 'x' }, { 'If-Match' => $_ }), 412,
        "If-Match: $_") for '"a"', "W/$tag";
    is_error($t->patch($path, { name => 'x' }, { 'If-None-Match' => '*' }),
        412, 'If-None-Match');
    is_error($t->delete($path, { 'If-Match' => $tag }), 409,
        'what cannot be at all comes first');
    is(timeline($id), 'CURRENT', 'nothing is done');
    is(patched($id, { name => 'y' }, { 'If-Match' => $tag })->{name}, 'y',
        'the tag it has');
    is_error($t->patch($path, { name => 'z' }, { 'If-Match' => $tag }), 412,
        'the old one is void');

    my @clients = map { RawHttp->connect($port) } 1 .. 8;
    $tag = raw_tag($id);
    $clients[$_]->send('PATCH', $path, "{\"name\":\"$_\"}",
        'If-Match' => $tag) for 0 .. $#clients;
    my @status = map { $_->answer->{status} } @clients;
    is(join(' ', sort @status), '200' . ' 412' x 7, 'one of many')
        or diag("@status");
    @clients = map { RawHttp->connect($port) } 1 .. 4;
    $clients[$_]->send('PATCH', $path, "{\"own$_\":\"$_\"}")
        for 0 .. $#clients;
    is(join(' ', map { $_->answer->{status} } @clients),
        '200 200 200 200', 'all without a condition');
    my $s = service($t, $id);
    is(join(' ', map { $s->{"own$_"} // '-' } 0 .. 3), '0 1 2 3',
        'and none is lost');

    my $row    = "instance_id = '$id' and timeline = 'CURRENT'";
    my $answer = overtaken(
        "SELECT 1 FROM entity_instance_configuration WHERE $row FOR UPDATE",
        [ 'PATCH', $path, '{"name":"late"}' ],
        'UPDATE entity_instance_configuration SET'
            . " service_type = 'meanwhile' WHERE $row");
    is($answer->{status}, 200, 'somebody was faster');
    $s = service($t, $id);
    is("$s->{name} $s->{serviceType}", 'late meanwhile', 'both are there');

    my $lock = "SELECT pg_advisory_xact_lock(hashtextextended('$id', 0))";
    my $set  = sub {
        my ($codec) = @_;
        return 'UPDATE entity_instance_configuration SET characteristics ='
            . " (characteristics::jsonb || '$codec')::json WHERE $row";
    };
    $answer = overtaken($lock,
        [ 'POST', ORDERS, $json->encode({ serviceOrderItem =>
            [ change('1', $id, extra => 1) ] }) ],
        $set->('{"codec":"G.719"}'));
    is($answer->{status}, 201, 'an order that was overtaken');
    ends($t, $json->decode($answer->{body})->{id}, 'completed');
    is(value_of(service($t, $id), 'codec'), 'G.719',
        'goes by what is there when it enters');

    patched($id, { state => 'inactive' });
    $answer = overtaken(
        "SELECT 1 FROM entity_instance_configuration WHERE $row FOR UPDATE",
        [ 'DELETE', $path, undef, 'If-Match' => raw_tag($id) ],
        "UPDATE entity_instance_configuration SET name = 'new' WHERE $row");
    is($answer->{status}, 412, 'a DELETE too');
    is(service($t, $id)->{name}, 'new', 'it is there as it is now');
};

subtest 'DELETE' => sub {
    for my $state (qw(feasibilityChecked designed reserved inactive)) {
        my $id   = posted(line('+420299999011', state => $state))->{id};
        my $path = SERVICES . "/$id";
        is_error($t->delete($path, { 'If-Match' => '"a"' }), 412, 'If-Match');
        is($t->delete($path, { 'If-Match' => tag($id) })->{status}, 204,
            "$state: removed");
        is_error($t->get($path),    404, 'it is gone');
        is_error($t->delete($path), 404, 'once');
        is($t->sql('select count(*) from entity_instance_configuration where'
            . " instance_id = '$id'"), 0, 'with all of its versions');
    }
    my $id = posted(line('+420299999012'))->{id};
    is_error($t->delete(SERVICES . "/$id"), 409, 'what is active');
    $t->sql('update entity_instance_configuration set state ='
        . " 'suspended' where instance_id = '$id'");
    is_error($t->delete(SERVICES . "/$id"), 409, 'what is suspended');
    is(patched($id, { name => 'x' })->{state}, 'suspended',
        'which can be changed');
    is(patched($id, { state => 'active' })->{state}, 'active',
        'and goes on');
    patched($id, { state => 'terminated' });
    is($t->delete(SERVICES . "/$id")->{status}, 204, 'what has ended');
    is_error($t->delete(SERVICES . "/$_"), 404, "no $_")
        for '01a20133-08d7-72b5-b605-8252fc014c6f', 'none';
};

is($t->sql('select count(*) from (select instance_id from'
    . " entity_instance_configuration where timeline = 'CURRENT'"
    . ' group by 1 having count(*) <> 1) x'), 0, 'one CURRENT each');
is($t->sql('select count(*) from entity_instance e where not exists (select'
    . ' 1 from entity_instance_configuration c where c.instance_id = e.id and'
    . " c.timeline = 'CURRENT')"), 0, 'and none without');
is($t->sql('select count(*) from service_change'), 0, 'nobody is left busy');
$t->stop;
done_testing;
