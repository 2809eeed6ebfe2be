# The whole v4 boundary in breadth: every operation of the three APIs with
# every status it may be answered with from outside, the standard's examples
# word for word, and every event that there is. What each of them means in
# depth stands in the tests of the resources.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Api;
use Process;
use RawHttp;
use Turnup;
use Turnup::Definitions;

use constant {
    TASKS  => ORDERS =~ s{[^/]+$}{cancelServiceOrder}r,
    NOBODY => '01a00000-0000-7000-8000-000000000000',
    LATER  => '2999-01-01T00:00:00.000Z',
    JSON   => 'application/json;charset=utf-8',
};

my $dir = tempdir('turnup-operations-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $t = Turnup->start(
    families => quick_families(),
    conf     => { 'catalog.import_directory' => $dir },
);
my ($port) = $t->url =~ /(\d+)$/;
my $json   = JSON::PP->new->utf8->canonical;

sub at { return SPECS =~ s{[^/]+$}{$_[0]}r }

sub line { return { serviceOrderItem => [ voip('1') ], @_ } }

# One that stays as it is, and one that has ended.
sub waiting {
    my $reply = $t->post(ORDERS, line(requestedStartDate => LATER));
    $reply->{status} == 201 or die "order: $reply->{content}\n";
    return $reply->{json}{id};
}

sub finished {
    my $id = ordered($t, voip('1'))->{id};
    ends($t, $id, 'completed', 'an order to work with');
    return $id;
}

# Every resource: its methods without and with an id, a body that may be
# POSTed, the attribute without which it may not, and what a PATCH may say.
my @managed = (
    of_all => 'GET, HEAD, POST, OPTIONS',
    of_one => 'GET, HEAD, PATCH, DELETE, OPTIONS',
    patch  => { description => 'x' },
);
my @task = (
    of_all => 'GET, HEAD, POST, OPTIONS',
    of_one => 'GET, HEAD, DELETE, OPTIONS',
    must   => 'url',
    body   => sub { { url => "file://$dir/none.json" } },
);
my @hub = (
    of_all => 'POST, OPTIONS',
    of_one => 'DELETE, OPTIONS',
    must   => 'callback',
    body   => sub { { callback => 'http://127.0.0.1:9/' } },
);
my $specification = { id => 'S1' };
my @resources     = (
    {
        @managed,
        at      => ORDERS,
        must    => 'serviceOrderItem',
        body    => sub { line(requestedStartDate => LATER) },
        removed => \&finished,
    },
    {
        at     => TASKS,
        of_all => 'GET, HEAD, POST, OPTIONS',
        of_one => 'GET, HEAD, OPTIONS',
        must   => 'serviceOrder',
        body   => sub { { serviceOrder => { id => waiting() } } },
    },
    {
        @managed,
        at   => SERVICES,
        must => 'serviceSpecification',
        body => sub {
            { state => 'designed', serviceSpecification => $specification };
        },
    },
    (
        map {
            { @managed, at => at($_), must => 'name',
                body => sub { { name => 'x' } } }
        } qw(serviceCatalog serviceCategory serviceSpecification)
    ),
    {
        @managed,
        at   => at('serviceCandidate'),
        must => 'serviceSpecification',
        body => sub {
            { name => 'x', serviceSpecification => $specification };
        },
    },
    (map { { @task, at => at($_) } } qw(importJob exportJob)),
    (map { { @hub, at => s{[^/]+$}{hub}r } } ORDERS, SERVICES, SPECS),
);

# One row: (status, what it is, method, path, body, headers), and what it has
# to be: pointer of an error, Allow of a 405.
sub row {
    my ($status, $name, $request, %is) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $reply = $t->request(@$request);
    my $title = "$status: $request->[0] $name";
    if ($status >= 400) {
        my $error = is_error($reply, $status, $title, $is{pointer});
        is($error->{'@type'}, 'Error', 'of its type');
        is($reply->{headers}{'content-type'}, JSON, 'as JSON');
    }
    else {
        is($reply->{status}, $status, $title) or diag($reply->{content});
    }
    is($reply->{headers}{allow}, $is{allow}, 'Allow') if exists $is{allow};
    return $reply;
}

sub creates {
    my ($r, $name) = @_;
    my $at   = $r->{at};
    my $body = $r->{body}->();
    my $made = row(201, $name, [ 'POST', $at, $body ]);
    like($made->{headers}{location}, qr{^\Q@{[ $t->url . $at ]}\E/[^/]+$},
        'Location');
    is($made->{json}{id}, $made->{headers}{location} =~ s{.*/}{}r, 'its id');
    is($made->{json}{href}, $made->{headers}{location}, 'href')
        if $r->{of_one} =~ /GET/;
    return $made->{json}{id};
}

sub refuses_to_create {
    my ($r, $name) = @_;
    my ($at, $must) = @$r{qw(at must)};
    my $body = $r->{body}->();
    my $less = { %$body };
    delete $less->{$must};
    row(400, "$name without $must", [ 'POST', $at, $less ],
        pointer => "/$must");
    row(400, "$name of a wrong type", [ 'POST', $at, { %$body, $must => 7 } ],
        pointer => "/$must");
    row(400, "$name that is no JSON", [ 'POST', $at, '{' ]);
    row(400, "$name without a body",  [ 'POST', $at ]);
    row(415, "$name as text",
        [ 'POST', $at, 'x', { 'Content-Type' => 'text/plain' } ]);
    row(406, "$name for a browser",
        [ 'POST', $at, $body, { Accept => 'text/html' } ]);
    my $key = { 'Idempotency-Key' => "key:$at" };
    my $one = row(201, "$name once", [ 'POST', $at, $body, $key ]);
    my $two = row(201, "$name the same again", [ 'POST', $at, $body, $key ]);
    is($two->{json}{id}, $one->{json}{id}, 'is one');
    row(409, "$name another by that key",
        [ 'POST', $at, { %$body, 'x-other' => 1 }, $key ]);
    my $large = RawHttp->connect($port)
        ->send('POST', $at, '', 'Content-Length' => 4_194_305)->answer;
    is("$large->{status} " . ($large->{json}{status} // ''), '413 413',
        "413: POST $name that is too large");
}

sub lists {
    my ($r, $name) = @_;
    my $at  = $r->{at};
    my $all = row(200, $name, [ 'GET', $at ]);
    my $n   = @{ $all->{json} };
    cmp_ok($n, '>', 1, 'several');
    is($all->{headers}{"x-$_-count"}, $n, "its $_ count") for qw(total result);
    my $part = row(206, "$name, some", [ 'GET', "$at?limit=1" ]);
    is($part->{headers}{'x-total-count'}, $n, 'of all');
    is(scalar @{ $part->{json} },         1,  'one');
    my $none = row(200, "$name, none", [ 'GET', "$at?id=@{[NOBODY]}" ]);
    is($none->{content}, '[]', 'an empty list');
    row(400, "$name, $_", [ 'GET', "$at?$_" ])
        for 'limit=x', 'offset=-1', 'sort=', 'a=%zz';
    row(501, "$name by JSONPath", [ 'GET', "$at?filter=%24%5B0%5D" ]);
    row(406, "$name for a browser",
        [ 'GET', $at, undef, { Accept => 'text/html' } ]);
}

sub reads {
    my ($r, $name, $id) = @_;
    my $at  = "$r->{at}/$id";
    my $got = row(200, "$name by id", [ 'GET', $at ]);
    my $tag = $got->{headers}{etag};
    row(304, "$name as it was",
        [ 'GET', $at, undef, { 'If-None-Match' => $tag } ]);
    row(200, "$name, its head", [ 'HEAD', $at ]);
    is_deeply(
        row(200, "$name, id and href", [ 'GET', "$at?fields=none" ])->{json},
        { map { $_ => $got->{json}{$_} } qw(id href) },
        'no more'
    );
    row(404, "$name nobody has", [ 'GET', "$r->{at}/" . NOBODY ]);
    row(404, "$name of no id",   [ 'GET', "$r->{at}/x'%22;--" ]);
    row(400, "$name by BEL",     [ 'GET', "$r->{at}/a%07" ]);
    row(400, "$name, a bad condition",
        [ 'GET', $at, undef, { 'If-None-Match' => 'x' } ]);
    row(406, "$name for a browser",
        [ 'GET', $at, undef, { Accept => 'text/html' } ]);
}

sub changes {
    my ($r, $name, $id) = @_;
    my $at    = "$r->{at}/$id";
    my $patch = $r->{patch};
    my $old   = $t->get($at)->{headers}{etag};
    for my $type ('merge-patch+json', 'json', 'json-patch+json',
        'json-patch-query+json')
    {
        my $body = $type !~ /^json-patch/ ? $patch
            : [ map { { op => 'add', path => "/$_", value => $patch->{$_} } }
                keys %$patch ];
        my $now = row(200, "$name by $type",
            [ 'PATCH', $at, $body, { 'Content-Type' => "application/$type" } ]
        );
        is($now->{json}{description}, 'x', 'changed');
        is($now->{json}{id},          $id, 'whole');
    }
    row(412, "$name as it is no longer",
        [ 'PATCH', $at, { description => 'y' }, { 'If-Match' => $old } ]);
    row(409, "$name, a test that fails",
        [ 'PATCH', $at,
            [ { op => 'test', path => '/description', value => 'y' } ],
            { 'Content-Type' => 'application/json-patch+json' } ]);
    row(400, "$name, another id", [ 'PATCH', $at, { id => 'other' } ],
        pointer => '/id');
    row(400, "$name without $r->{must}",
        [ 'PATCH', $at, { $r->{must} => undef } ], pointer => "/$r->{must}");
    row(400, "$name, a wrong type", [ 'PATCH', $at, { description => 7 } ],
        pointer => '/description');
    row(400, "$name, no JSON", [ 'PATCH', $at, '{' ]);
    row(415, "$name as text",
        [ 'PATCH', $at, 'x', { 'Content-Type' => 'text/plain' } ]);
    row(406, "$name for a browser",
        [ 'PATCH', $at, $patch, { Accept => 'text/html' } ]);
    row(404, "$name nobody has", [ 'PATCH', "$r->{at}/" . NOBODY, $patch ]);
    is($t->get($at)->{json}{description}, 'x', 'nothing of it was done');
}

sub removes {
    my ($r, $name, $id) = @_;
    $id = $r->{removed}->() if $r->{removed};
    my $at = "$r->{at}/$id";
    row(412, "$name as it never was",
        [ 'DELETE', $at, undef, { 'If-Match' => '"x"' } ])
        if $r->{patch};
    row(406, "$name for a browser",
        [ 'DELETE', $at, undef, { Accept => 'text/html' } ]);
    my $gone = row(204, $name, [ 'DELETE', $at ]);
    is($gone->{content} // '', '', 'without a body');
    row(404, "$name once more", [ 'DELETE', $at ]);
    row(404, "$name nobody has", [ 'DELETE', "$r->{at}/" . NOBODY ]);
}

# Whatever Allow does not name.
sub has_no_other {
    my ($r, $name, $id) = @_;
    for ([ $r->{at}, $r->{of_all} ], [ "$r->{at}/$id", $r->{of_one} ]) {
        my ($at, $allow) = @$_;
        row(405, $name, [ $_, $at, /^P/ ? {} : undef ], allow => $allow)
            for grep { $allow !~ /\b$_\b/ } qw(GET POST PATCH DELETE PUT);
        row(204, $name, [ 'OPTIONS', $at ], allow => $allow);
    }
}

for my $r (@resources) {
    my ($name) = $r->{at} =~ m{^/tmf-api/(.*)$};
    subtest $name => sub {
        my $id = creates($r, $name);
        refuses_to_create($r, $name);
        lists($r, $name) if $r->{of_all} =~ /GET/;
        reads($r, $name, $id)   if $r->{of_one} =~ /GET/;
        changes($r, $name, $id) if $r->{of_one} =~ /PATCH/;
        has_no_other($r, $name, $id);
        removes($r, $name, $id) if $r->{of_one} =~ /DELETE/;
    };
}

subtest 'what nobody serves' => sub {
    row(404, $_, [ 'GET', $_ ])
        for '/tmf-api/', '/tmf-api/serviceOrdering/v4',
        ORDERS =~ s/v4/v3/r, SPECS =~ s/serviceSpec/spec/r, ORDERS . '/1/note',
        '/tmf-api/productOrdering/v4/productOrder';
};

subtest 'what the state of things does not allow' => sub {
    my $waiting = waiting();
    my $ended   = finished();
    my $service =
        $t->get(ORDERS . "/$ended")->{json}{serviceOrderItem}[0]{service}{id};
    my $designed = $t->post(SERVICES,
        { state => 'designed', serviceSpecification => $specification })
        ->{json}{id};
    row(201, 'a candidate', [ 'POST', at('serviceCategory'),
        { id => 'Once', name => 'x' } ]);
    row(409, @$_)
        for [ 'an order under way', [ 'DELETE', ORDERS . "/$waiting" ] ],
        [ 'an order to completed',
            [ 'PATCH', ORDERS . "/$waiting", { state => 'completed' } ],
            pointer => '/state' ],
        [ 'an order that has ended',
            [ 'PATCH', ORDERS . "/$ended", { priority => '1' } ],
            pointer => '/priority' ],
        [ 'a cancellation of what has ended',
            [ 'POST', TASKS, { serviceOrder => { id => $ended } } ],
            pointer => '/serviceOrder/id' ],
        [ 'a service that is active', [ 'DELETE', SERVICES . "/$service" ] ],
        [ 'a service back to where it never goes',
            [ 'PATCH', SERVICES . "/$designed",
                { state => 'feasibilityChecked' } ], pointer => '/state' ],
        [ 'an id that is taken',
            [ 'POST', at('serviceCategory'), { id => 'Once', name => 'y' } ],
            pointer => '/id' ];
};

# TMF's own, as TMF-FACTS has them.
subtest 'examples, word for word' => sub {
    my $order = row(201, 'the least order', [ 'POST', ORDERS,
        '{"serviceOrderItem":[{"id":"1","action":"add","service":{}}]}' ]);
    is($order->{json}{state}, 'acknowledged', 'acknowledged');
    like($order->{json}{orderDate}, qr/^\d{4}-.*\.\d{3}Z$/, 'with a date');
    is(item_states($order->{json}), '1=acknowledged', 'and its item');
    like(errors(ends($t, $order->{json}{id}, 'rejected')),
        qr/specification/i, 'which says of what there is no service');

    row(400, 'cancel: no order 42',
        [ 'POST', TASKS, '{"serviceOrder":{"id":"42"}}' ],
        pointer => '/serviceOrder/id');
    my $id   = waiting();
    my $task = row(201, 'cancel: one that there is',
        [ 'POST', TASKS, qq({"serviceOrder":{"id":"$id"}}) ]);
    is($task->{json}{state}, 'acknowledged', 'acknowledged');

    my $service = row(201, 'a service', [ 'POST', SERVICES,
        '{"state":"active","serviceSpecification":{"id":"S1"}}' ])->{json};
    is_deeply(
        [ @$service{qw(state @type)}, $service->{serviceSpecification}{id} ],
        [qw(active Service S1)],
        'as it is'
    );
    like($service->{serviceDate}, qr/^\d{4}-.*\.\d{3}Z$/, 'with a date');

    my $error = row(400, 'an order of nothing', [ 'POST', ORDERS, '{}' ]);
    is_deeply(
        { %{ $error->{json} }, pointer => undef },
        {
            code    => '23',
            reason  => 'Missing body field',
            message => 'serviceOrderItem is mandatory',
            status  => '400',
            '@type' => 'Error',
            pointer => undef,
        },
        'Error'
    );
};

# Everything that is told from here on, on the hub of each API.
my %listener = map { $_ => $t->listener } ORDERS, SERVICES, SPECS;
subscribe($t, $_, $listener{$_}) for keys %listener;

sub heard { return map { $_->events } values %listener }

# Something with an id, made and changed.
sub made {
    my ($at, $body) = @_;
    my $reply = $t->post($at, $body);
    $reply->{status} == 201 or die "$at: $reply->{content}\n";
    return $reply->{json}{id};
}

sub changed {
    my ($at, $id, $patch) = @_;
    my $reply = $t->patch("$at/$id", $patch);
    $reply->{status} == 200 or die "$at: $reply->{content}\n";
    return $id;
}

sub removed {
    my ($at, $id) = @_;
    my $reply = $t->delete("$at/$id");
    $reply->{status} == 204 or die "$at: $reply->{content}\n";
    return $id;
}

sub rejected {
    my $id = made(ORDERS, line(serviceOrderItem => [ item('1', 'add', {}) ]));
    ends($t, $id, 'rejected');
    return $id;
}

sub cancelled { return made(TASKS, { serviceOrder => { id => waiting() } }) }

sub designed {
    return made(SERVICES,
        { state => 'designed', serviceSpecification => $specification });
}

# A catalog in which an import has changed something.
sub imported {
    my $id = made(at('serviceCatalog'),
        { name => 'x', category => [ { id => 'Imported' } ] });
    write_file("$dir/in.json",
        '[{"@type":"ServiceCategory","id":"Imported","name":"x"}]');
    my $job = made(at('importJob'), { url => "file://$dir/in.json" });
    $t->wait_for(WAIT, sub {
        $t->get(at('importJob') . "/$job")->{json}{status} eq 'Succeeded';
    }, 'imported');
    return $id;
}

# Event type => its resource, and what provokes it and says the id. Each says
# one event of that type about what it makes.
my %provoke = (
    ServiceOrderCreateEvent => [ serviceOrder => \&waiting ],
    ServiceOrderAttributeValueChangeEvent => [ serviceOrder =>
        sub { changed(ORDERS, waiting(), { description => 'x' }) } ],
    ServiceOrderStateChangeEvent => [ serviceOrder => \&rejected ],
    ServiceOrderDeleteEvent      =>
        [ serviceOrder => sub { removed(ORDERS, rejected()) } ],
    CancelServiceOrderCreateEvent => [ cancelServiceOrder => \&cancelled ],
    CancelServiceOrderStateChangeEvent =>
        [ cancelServiceOrder => \&cancelled ],
    ServiceCreateEvent => [ service => \&designed ],
    ServiceAttributeValueChangeEvent => [ service =>
        sub { changed(SERVICES, designed(), { description => 'x' }) } ],
    ServiceStateChangeEvent => [ service =>
        sub { changed(SERVICES, designed(), { state => 'reserved' }) } ],
    ServiceDeleteEvent =>
        [ service => sub { removed(SERVICES, designed()) } ],
    ServiceCatalogBatchEvent => [ serviceCatalog => \&imported ],
);
for my $kind (qw(serviceCatalog serviceCategory serviceCandidate
    serviceSpecification))
{
    my $at   = at($kind);
    my $make = sub {
        made($at, { name => 'x', serviceSpecification => $specification });
    };
    $provoke{ ucfirst "${kind}CreateEvent" } = [ $kind, $make ];
    $provoke{ ucfirst "${kind}ChangeEvent" } =
        [ $kind, sub { changed($at, $make->(), { description => 'x' }) } ];
    $provoke{ ucfirst "${kind}DeleteEvent" } =
        [ $kind, sub { removed($at, $make->()) } ];
}

# Of the standard, too, but nobody emits them.
my @nobodys = qw(ServiceOrderInformationRequiredEvent
    ServiceOrderMilestoneEvent ServiceOrderJeopardyEvent
    CancelServiceOrderInformationRequiredEvent);

my %domain = (
    serviceOrder       => 'ServiceOrdering',
    cancelServiceOrder => 'ServiceOrdering',
    service            => 'ServiceInventory',
);

# TMF-FACTS 9.3.
sub is_envelope {
    my ($event, $type, $resource) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @path = $type =~ /AttributeValueChange/ ? 'fieldPath' : ();
    is(join(' ', sort keys %$event),
        join(' ', sort @path, qw(correlationId description domain event
            eventId eventTime eventType priority timeOcurred title)),
        'an envelope with all of its fields');
    is(join(' ', grep { ref $event->{$_} || $event->{$_} eq '' }
            grep { $_ ne 'event' } keys %$event), '', 'texts');
    like($event->{eventId}, qr/^[0-9a-f-]{36}$/, 'eventId');
    like($event->{eventTime}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/, 'time');
    is($event->{timeOcurred}, $event->{eventTime}, 'timeOcurred, as misspelt');
    is($event->{domain}, $domain{$resource} // 'ServiceCatalog', 'domain');
    is(join(' ', keys %{ $event->{event} }), $resource, 'wrapped by its name');
    my $it = resource($event);
    like($it->{href}, qr{^http://.*/v4/$resource/\Q$it->{id}\E$}, 'its href');
}

for my $type (sort keys %provoke) {
    my ($resource, $provoke) = @{ $provoke{$type} };
    subtest $type => sub {
        my $id   = $provoke->();
        my $told = sub {
            grep { $_->{eventType} eq $type && resource($_)->{id} eq $id }
                heard();
        };
        $t->wait_for(WAIT, sub { scalar $told->() }, 'is told');
        my ($event) = $told->();
        is_envelope($event, $type, $resource);
    };
}

subtest 'what is told of work' => sub {
    my $order   = order($t, finished());
    my $service = $order->{serviceOrderItem}[0]{service}{id};
    my $told    = sub {
        grep { resource($_)->{id} =~ /^(?:$order->{id}|$service)$/ } heard();
    };
    my $ended = sub {
        grep { resource($_)->{state} =~ /^(?:completed|active)$/ } $told->();
    };
    $t->wait_for(WAIT, sub { $ended->() > 1 }, 'order and service');
    is_envelope($_, $_->{eventType}, $provoke{ $_->{eventType} }[0])
        for $told->();
};

subtest 'nothing else is told' => sub {
    my %known = (%provoke, map { $_ => 1 } @nobodys);
    my %told  = map { $_->{eventType} => 1 } heard();
    my $top   = "$FindBin::Bin/..";
    my $sources = join '', map { read_file($_) }
        grep { !m{/tmf/event\.c$} } glob "$top/backend/*/*.c $top/sql/*.sql";
    is(join(' ', sort keys %told), join(' ', sort keys %provoke),
        'all of the table, nothing but the table');
    is(join(' ', grep { index($sources, $_) >= 0 } @nobodys),
        '', 'and no source speaks of what nobody emits');
    cmp_ok(index($sources, 'ServiceOrderDeleteEvent'),
        '>', 0, 'as it would of others');
    SKIP: {
        definitions_dir()
            or skip 'no published definitions in ../shared/tmf', 1;
        my @published = map { grep { /Event$/ }
                keys %{ published($_)->{definitions} } }
            qw(serviceOrdering serviceInventory serviceCatalogManagement);
        is(join(' ', sort keys %known), join(' ', sort @published),
            'both tables are all that is published');
    }
};

$t->stop;
done_testing;
