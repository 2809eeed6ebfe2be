# TMF638 in v5 beside v4: one inventory, two projections (DESIGN, law 5).
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

my $v5       = SERVICES =~ s{/v4/}{/v5/}r;
my $json     = JSON::PP->new->utf8->canonical;
my $t        = Turnup->start(families => quick_families());
my $listener = $t->listener;
my $of_v4    = $t->listener;
subscribe($t, $v5,      $listener, '@type' => 'Hub');
subscribe($t, SERVICES, $of_v4);

sub same { is_deeply($_[0], $_[1], $_[2]) }

sub specified {
    return { '@type' => 'ServiceSpecificationRef', id => $_[0],
        version => '1.0' };
}

# A telephone line as v5 writes it.
sub line {
    my (%rest) = @_;
    return {
        '@type'               => 'Service',
        state                 => 'inactive',
        name                  => 'Line',
        serviceSpecification  => specified('Voip.Line'),
        serviceCharacteristic => [
            map {
                {
                    '@type' => 'StringCharacteristic',
                    name    => $_->[0],
                    value   => $_->[1]
                }
            } [ codec => 'G.722' ], [ telephoneNumber => '+4930200001' ],
            [ numberRange => 'geographic' ],
            [ numberPool  => 'number-geographic' ],
        ],
        %rest
    };
}

my $party = {
    '@type'          => 'RelatedPartyRefOrPartyRoleRef',
    role             => 'customer',
    partyOrPartyRole => {
        '@type'         => 'PartyRef',
        '@referredType' => 'Individual',
        id              => 'p-5',
        name            => 'Ada'
    }
};
my $place = {
    '@type' => 'RelatedPlaceRefOrValue',
    role    => 'installation',
    place   => {
        '@type'  => 'GeographicAddress',
        city     => 'Bonn',
        postcode => '53113',
        geo      => [ 1.5, 2 ]
    }
};
my $note = { '@type' => 'Note', text => 'hello' };

my ($id, $made);
subtest 'a service of v5 comes back as it was sent' => sub {
    my $sent = line(relatedParty => [$party], place => [$place],
        note => [$note], extension => { a => [ 1, { b => undef } ] });
    my $reply = $t->post($v5, $sent);
    is($reply->{status}, 201, 'made') or diag $reply->{content};
    $made = $reply->{json};
    $id   = $made->{id};
    like($made->{href}, qr{/serviceInventory/v5/service/\Q$id\E$},
        'its href is of v5');
    is($reply->{headers}{location}, $made->{href}, 'and its Location');
    my $shown = $t->get("$v5/$id")->{json};
    same($shown, $made, 'GET shows what POST answered');
    same($shown->{$_}, $sent->{$_}, "$_ as it was sent")
        for qw(@type state name relatedParty place note extension
        serviceCharacteristic);
    is($shown->{serviceSpecification}{'@type'},
        'ServiceSpecificationRef', 'the specification is typed');
    is($shown->{externalIdentifier}[0]{'@type'},
        'ExternalIdentifier', 'the inventory\'s own key, too');
};

subtest 'v4 is shown the same service in its own form' => sub {
    my $shown = $t->get(SERVICES . "/$id")->{json};
    like($shown->{href}, qr{/serviceInventory/v4/}, 'with an href of v4');
    same($shown->{relatedParty}, [ { role => 'customer', id => 'p-5',
        name => 'Ada', '@referredType' => 'Individual' } ], 'party: flat');
    same($shown->{place}, [ { role => 'installation', city => 'Bonn',
        '@type' => 'GeographicAddress', postcode => '53113',
        geo => [ 1.5, 2 ] } ], 'place: flat, with the type of what it is');
    is($shown->{note}[0]{text}, 'hello', 'note');
    same($shown->{extension}, { a => [ 1, { b => undef } ] },
        'what nobody knows');
};

subtest 'v5 is shown what v4 wrote' => sub {
    my $reply = $t->post(SERVICES, {
        state                => 'inactive',
        serviceSpecification => { id => 'Voip.Line', version => '1.0' },
        relatedParty => [ { id => 'p-4', role => 'r',
            '@referredType' => 'Organization' } ],
        relatedEntity => [ { role => 'e', id => 'e-1' } ],
        note => [ { text => 't', author => 'a',
            date => '2030-01-01T00:00:00Z' } ],
        serviceCharacteristic => [
            map { { name => $_->[0], value => $_->[1] } }
                [ codec => 'G.722' ], [ telephoneNumber => '+4930200002' ],
                [ numberRange => 'geographic' ],
                [ numberPool  => 'number-geographic' ],
        ],
        supportingService => [ { id => 's-1' } ],
    });
    is($reply->{status}, 201, 'made') or diag $reply->{content};
    my $four  = $reply->{json};
    my $shown = $t->get("$v5/$four->{id}")->{json};
    same($shown->{relatedParty}, [ {
        '@type' => 'RelatedPartyRefOrPartyRoleRef', role => 'r',
        partyOrPartyRole => { '@type' => 'PartyRef', id => 'p-4',
            '@referredType' => 'Organization' } } ], 'party: nested');
    same($shown->{relatedEntity}, [ {
        '@type' => 'RelatedEntityRefOrValue', role => 'e',
        entity => { '@type' => 'EntityRef', id => 'e-1' } } ],
        'entity: nested');
    is($shown->{note}[0]{'@type'}, 'Note', 'note: typed');
    is($shown->{supportingService}[0]{'@type'}, 'ServiceRef',
        'a reference is told from a service');
    same([ map { $_->{'@type'} } @{ $shown->{serviceCharacteristic} } ],
        [ ('StringCharacteristic') x 4 ], 'characteristics: by value');

    for my $path (qw(relatedParty.partyOrPartyRole.id relatedParty.id)) {
        my $list = $t->get("$v5?$path=p-4")->{json};
        same([ map { $_->{id} } @$list ], [ $four->{id} ], "found by $path");
    }
    my $list = $t->get("$v5?relatedParty.partyOrPartyRole.id=p-5"
            . '&fields=name')->{json};
    same([ sort map { keys %$_ } @$list ], [qw(@type href id name)],
        'fields= leaves @type');
    same([ map { $_->{id} }
            @{ $t->get(SERVICES . '?relatedParty.id=p-5')->{json} } ],
        [$id], 'v4 finds what v5 wrote');

    my $patched = $t->patch("$v5/$four->{id}", { name => 'Named by v5' });
    is($patched->{status}, 200, 'v5 changes it') or diag $patched->{content};
    my $after = $t->get(SERVICES . "/$four->{id}")->{json};
    is($after->{name}, 'Named by v5', 'v4 sees that');
    same($after->{$_}, $four->{$_}, "and $_ as v4 wrote it")
        for qw(relatedParty relatedEntity note supportingService
        serviceCharacteristic);
};

subtest 'PATCH in v5' => sub {
    my $reply = $t->patch("$v5/$id", {
        '@type'      => 'Service',
        relatedParty => [ { %$party, role => 'user' } ],
    });
    is($reply->{status}, 200, 'merge') or diag $reply->{content};
    is($reply->{json}{relatedParty}[0]{role}, 'user', 'done');
    $reply = $t->patch("$v5/$id",
        [ {
            op    => 'replace',
            path  => '/relatedParty/0/partyOrPartyRole/name',
            value => 'Grace'
        } ], { 'Content-Type' => 'application/json-patch+json' });
    is($reply->{status}, 200, 'JSON Patch, by v5\'s paths')
        or diag $reply->{content};
    is($t->get(SERVICES . "/$id")->{json}{relatedParty}[0]{name}, 'Grace',
        'v4 sees that');
    $reply = $t->patch("$v5/$id?fields=state",
        { operatingStatus => 'degraded' });
    same([ sort keys %{ $reply->{json} } ], [qw(@type href id state)],
        'fields= shapes the answer');
    is($t->get("$v5/$id")->{json}{operatingStatus}, 'degraded',
        'the operating status is the client\'s');
    is_error($t->patch("$v5/$id", { note => [ { text => 'x' } ] }), 400,
        'what is new is typed', '/note/0/@type');
    is_error($t->patch("$v5/$id", { relatedParty => [ { '@type' => 'x',
        id => 'flat', role => 'r', partyOrPartyRole => { id => 1 } } ] }),
        400, 'by v5\'s types', '/relatedParty/0/partyOrPartyRole/id');
    is_error($t->patch("$v5/$id", { '@type' => 'Other' }), 400,
        '@type stays', '/@type');
    my $got = $t->get("$v5/$id");
    is_error($t->patch("$v5/$id", { name => 'x' }, { 'If-Match' => '"no"' }),
        412, 'not over what was not read');
    $reply = $t->patch("$v5/$id", { name => 'Matched' },
        { 'If-Match' => $got->{headers}{etag} });
    is($reply->{status}, 200, 'the ETag is of v5\'s form');
};

subtest 'what v5 does not take' => sub {
    my %bad = (
        '/@type'                              => { '@type' => undef },
        '/serviceSpecification/@type' =>
            { serviceSpecification => { id => 'Voip.Line' } },
        '/state'                              => { state => 'running' },
        '/relatedParty/0/partyOrPartyRole/@type' =>
            { relatedParty => [ { %$party,
                partyOrPartyRole => { id => 'p' } } ] },
        '/place/0/place' =>
            { place => [ { '@type' => 'T', role => 'r' } ] },
    );
    for my $pointer (sort keys %bad) {
        my $e = is_error($t->post($v5, line(%{ $bad{$pointer} })), 400,
            $pointer, $pointer);
        is($e->{'@type'}, 'Error', 'which says what it is');
    }
    my $count = () = $t->get("$v5?name=Line")->{json}->@*;
    is($count, 0, 'nothing of it is stored');
    is_error($t->get(ORDERS =~ s{/v4/}{/v5/}r), 404,
        'TMF641 is not served in v5');
    is_error($t->get(SERVICES =~ s{/v4/}{/v6/}r), 404, 'nor anything in v6');
};

subtest 'fields= on POST' => sub {
    my $reply = $t->post("$v5?fields=name", line(name => 'Short'));
    is($reply->{status}, 201, 'made') or diag $reply->{content};
    same([ sort keys %{ $reply->{json} } ], [qw(@type href id name)],
        'only that');
    is($t->request('DELETE', "$v5/$reply->{json}{id}")->{status}, 204,
        'and DELETE');
    is($t->get("$v5/$reply->{json}{id}")->{status}, 404, 'is gone');
};

subtest 'a service that an order has made' => sub {
    my $order = ordered($t, internet('1'));
    ends($t, $order->{id}, 'completed');
    my ($service) = $t->get("$v5?name=Internet%201")->{json}->@*;
    is($service->{operatingStatus}, 'running', 'operates');
    is($service->{serviceOrderItem}[0]{'@type'},
        'RelatedServiceOrderItem', 'its order is typed');
    is($service->{supportingResource}[0]{'@type'}, 'ResourceRef',
        'its resources, too');
    my ($value) = grep { ref $_->{value} eq 'HASH' }
        $service->{serviceCharacteristic}->@*;
    is($value->{'@type'}, 'ObjectCharacteristic',
        'characteristics by their values');
    my $sid = $service->{id};
    $t->wait_for(WAIT, sub {
        return grep { resource($_)->{operatingStatus} eq 'running' }
            told($listener, $sid, qr/OperatingStatusChange/);
    }, 'v5 is told that it operates');
    $t->wait_for(WAIT, sub {
        return states_told($of_v4, $sid) =~ / active$/;
    }, 'v4 is told that it is active');
    is(states_told($listener, $sid), states_told($of_v4, $sid),
        'both are told the same states');
    same([ told($of_v4, $sid, qr/Operating/) ], [],
        'v4 has no such event as that of operating');
};

subtest 'events of v5' => sub {
    my ($create) = told($listener, $id, qr/Create/);
    is($create->{'@type'}, 'ServiceCreateEvent', 'typed');
    is($create->{'@baseType'}, 'Event', 'as an event');
    is($create->{timeOccurred}, $create->{timeOcurred},
        'time, in both spellings');
    same($create->{event}{service}{relatedParty}, [$party],
        'a whole service in v5\'s form');
    like($create->{event}{service}{href}, qr{/v5/}, 'with an href of v5');
    my ($four) = told($of_v4, $id, qr/Create/);
    is($four->{event}{service}{relatedParty}[0]{id}, 'p-5', 'v4: flat');
    ok(!exists $four->{'@type'} && !exists $four->{timeOccurred},
        'v4: as v4 has published it');
    like($four->{event}{service}{href}, qr{/v4/}, 'with an href of v4');
    $t->wait_for(WAIT, sub {
        return 4 <= told($listener, $id, qr/AttributeValueChange/);
    }, 'changes are told');
    my ($change) = told($listener, $id, qr/AttributeValueChange/);
    same([ sort keys %{ $change->{event}{service} } ],
        [qw(@type href id relatedParty)], 'a change: what has changed');
    ok(!exists $change->{fieldPath}, 'without fieldPath, which is v4\'s');
    my ($operates) = told($listener, $id, qr/OperatingStatusChange/);
    same($operates->{event}{service}, { id => $id,
        href => $made->{href}, '@type' => 'Service',
        operatingStatus => 'degraded' }, 'the operating status');
};

subtest 'hub of v5' => sub {
    my $hub   = $v5 =~ s{/service$}{/hub}r;
    my %new   = (callback => $listener->url);
    my $reply = $t->post($hub, { %new, '@type' => 'Hub',
        query => 'eventType=ServiceOperatingStatusChangeEvent' });
    is($reply->{status}, 201, 'taken') or diag $reply->{content};
    my $made = $reply->{json};
    is($made->{'@type'}, 'Hub', 'typed');
    like($made->{href}, qr{/v5/hub/\Q$made->{id}\E$}, 'with an href');
    is($t->request('DELETE', "$hub/$made->{id}")->{status}, 204, 'removed');
    my $other = $t->post($hub, \%new);
    is($other->{status}, 201, '@type may be missing');
    $t->request('DELETE', "$hub/$other->{json}{id}");
    is_error($t->post(SERVICES =~ s{/service$}{/hub}r, { %new,
        query => 'eventType=ServiceOperatingStatusChangeEvent' }),
        400, 'v4 has no such event', '/query');
};

subtest 'the contract of v5' => sub {
    my $api = $t->get('/openapi/serviceInventory/v5.json');
    is($api->{status}, 200, 'is published');
    is($api->{json}{info}{version}, '5.0.0', 'of v5.0.0');
    is($t->get('/openapi/serviceOrdering/v5.json')->{status}, 404,
        'not of what is not served');
    ok($t->get('/schemas/serviceInventory/v5/PartyRef.json')
            ->{json}{properties}{'@type'}, 'types of v5');
    my $any = $t->get('/schemas/PartyRef.json')->{json}{anyOf};
    same($any, [ { '$ref' => 'serviceInventory/v5/PartyRef.json' } ],
        'by name, too');
};

$t->stop;
done_testing;
