# The inventory while services are changed and removed: what is CURRENT, what
# is PENDING, what is HISTORY, and that a change which fails leaves network
# and inventory as they were.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

my $true     = JSON::PP::true;
my $t        = Turnup->start(families => quick_families());
my $listener = $t->listener;
my $orders   = $t->listener;
subscribe($t, SERVICES, $listener);
subscribe($t, ORDERS,   $orders);

# The value of a characteristic as the inventory shows it.
sub value_of {
    my ($service, $name) = @_;
    my ($found) = grep { $_->{name} eq $name }
        @{ $service->{serviceCharacteristic} };
    return $found && $found->{value};
}

sub bandwidth {
    my ($service) = @_;
    return value_of($service, 'internetService')->{internetBandwidth};
}

sub living {
    my ($item) = @_;
    my $done = ends($t, ordered($t, $item)->{id}, 'completed', 'a service');
    return $done->{serviceOrderItem}[0]{service}{id};
}

# "HISTORY CURRENT": the configurations of a service, the oldest first.
sub timeline {
    my ($service) = @_;
    return join ' ', $t->sql('select timeline from'
            . " entity_instance_configuration where instance_id = '$service'"
            . ' order by valid_from, timeline desc');
}

sub configuration {
    my ($service, $timeline) = @_;
    my $row = $t->sql('select row_to_json(c) from'
            . " entity_instance_configuration c where instance_id = '$service'"
            . " and timeline = '$timeline' order by valid_from limit 1");
    return $row ? decode_json($row) : undef;
}

# What the telephony platform has of a service.
sub line_of {
    my ($service) = @_;
    my $state     = $t->sim('GET', '/_state?prefix=/telephony')->{json};
    my ($line)    = grep { $_->{service} eq $service } values %$state;
    return $line;
}

# What is shown of resources: "AP-000001 bng-1".
sub resources {
    my ($service) = @_;
    return join ' ', map { $_->{id} } @{ $service->{supportingResource} };
}

sub resource_rows {
    my ($service) = @_;
    return $t->sql('select count(*) from resource_allocation'
            . " where holder = '$service'");
}

# Types of events about a service, told in order.
sub types_told {
    my ($service) = @_;
    return join ' ',
        map { $_->{eventType} . '=' . (resource($_)->{state} // '') }
        told($listener, $service);
}

# Serialises a document without regard to what changes from read to read.
sub same_document { return text_of($_[0]) eq text_of($_[1]) }

subtest 'a service as it comes to be' => sub {
    my $id      = living(internet('1'));
    my $service = service($t, $id);
    is(timeline($id), 'CURRENT', 'one configuration');
    is($service->{versionStateType}, 'CURRENT', 'which is shown');
    is($service->{version}, configuration($id, 'CURRENT')->{id}, 'by its id');
    is($service->{versionEndDate},            undef, 'open');
    is($service->{serviceSpecification}{id},      'Internet.Service', 'spec');
    is($service->{serviceSpecification}{version}, '1.0', 'its version');
    like($service->{externalIdentifier}[0]{id}, qr/^SVC-\d+$/, 'a key');
    ok($service->{isServiceEnabled}, 'enabled');
    my ($order) = @{ $service->{serviceOrderItem} };
    is($t->get($order->{serviceOrderHref} =~ s{^\w+://[^/]+}{}r)->{json}{id},
        $order->{serviceOrderId}, 'its order can be found');
    is($t->get($service->{href} =~ s{^\w+://[^/]+}{}r)->{json}{id},
        $id, 'its href leads to it');
    is($t->get($service->{serviceSpecification}{href}
                =~ s{^\w+://[^/]+}{}r)->{json}{id},
        'Internet.Service', 'so does that of its specification');
    $t->wait_for(WAIT, sub { types_told($id) =~ /=active/ }, 'told');
    my ($first, @rest) = split / /, types_told($id);
    is($first, 'ServiceCreateEvent=reserved', 'as reserved at first');
    is(join(' ', grep { /StateChange/ } @rest),
        'ServiceStateChangeEvent=inactive ServiceStateChangeEvent=active',
        'then inactive, then active');
    my ($create) = told($listener, $id);
    is(resource($create)->{serviceSpecification}{id},
        'Internet.Service', 'with all of its attributes');
};

subtest 'a modify, while it is under way and afterwards' => sub {
    my $id     = living(internet('1'));
    my $before = service($t, $id);
    my $slow   = rule($t, target => 'bng', method => 'PUT',
        bodyContains => '"250"', action => { delayMs => 1500 });
    my $order = ordered($t,
        change('1', $id, internetService => { internetBandwidth => '250' }));
    $t->wait_for(WAIT, sub { timeline($id) =~ /PENDING/ },
        'a PENDING configuration');
    ok(same_document(service($t, $id), $before), 'what is shown still is');
    my $pending = configuration($id, 'PENDING');
    is($pending->{characteristics}{internetService}{internetBandwidth},
        '250', 'PENDING has the new value');
    is($pending->{characteristics}{internetService}{internetServiceSla},
        '99.95', 'and what was not spoken of');
    is($pending->{characteristics}{accessPort},
        value_of($before, 'accessPort'), 'and what was allocated');
    ends($t, $order->{id}, 'completed');
    $t->sim('DELETE', "/_rules/$slow");
    is(timeline($id), 'HISTORY CURRENT', 'then it is CURRENT');
    my $after = service($t, $id);
    is(bandwidth($after),  '250', 'and shown');
    is($after->{version},  $pending->{id}, 'the very same one');
    isnt($after->{version}, $before->{version}, 'another version');
    is($after->{state},    'active', 'the service stays active');
    is($after->{operatingStatus}, 'running', 'and running');
    is($after->{id}, $before->{id}, 'under its id');
    is($after->{externalIdentifier}[0]{id},
        $before->{externalIdentifier}[0]{id}, 'and its key');
    is($after->{name}, $before->{name}, 'and its name');
    is($after->{serviceDate}, $before->{serviceDate}, 'and its date');
    is(resources($after), resources($before), 'its resources stay');
    is($after->{serviceOrderItem}[0]{serviceOrderId},
        $order->{id}, 'its last order is named');
    is(subscriber($t, 'bng', $id)->{bandwidth}, '250', 'as in the network');
    my $history = configuration($id, 'HISTORY');
    is($history->{id}, $before->{version}, 'the old one is HISTORY');
    is($history->{characteristics}{internetService}{internetBandwidth},
        '100', 'with its values');
    is($history->{valid_to}, configuration($id, 'CURRENT')->{valid_from},
        'and ends where the new one begins');

    ends($t, ordered($t, change('1', $id,
        internetService => { internetBandwidth => '300' }))->{id}, 'completed');
    is(timeline($id), 'HISTORY HISTORY CURRENT', 'HISTORY is kept');
    $t->wait_for(WAIT,
        sub { 2 <= grep { $_->{eventType} =~ /AttributeValueChange/ }
            told($listener, $id) }, 'both changes are told');
    my ($last) = reverse told($listener, $id);
    is(bandwidth(resource($last)), '300', 'with the value');

    # a characteristic more, and one less
    ends($t, ordered($t, change('1', $id, project => 'Sphere'))->{id},
        'completed');
    is(value_of(service($t, $id), 'project'), 'Sphere', 'one is added');
    is(bandwidth(service($t, $id)), '300', 'the others stay');
    ends($t, ordered($t, change('1', $id,
        technicalContact => { a => '1', b => '2' }))->{id}, 'completed');
    ends($t, ordered($t, change('1', $id,
        technicalContact => { a => undef, c => '3' }))->{id}, 'completed');
    is_deeply(value_of(service($t, $id), 'technicalContact'),
        { b => '2', c => '3' }, 'null takes a member away, others stay');
};

subtest 'a modify of a line' => sub {
    my $id     = living(voip('1'));
    my $number = value_of(service($t, $id), 'telephoneNumber');
    ends($t, ordered($t, change('1', $id, codec => 'G.729'))->{id},
        'completed');
    my $after = service($t, $id);
    is(value_of($after, 'codec'),           'G.729', 'the codec');
    is(value_of($after, 'telephoneNumber'), $number, 'the number stays');
    is(subscriber($t, 'sbc', $id)->{codec}, 'G.729', 'on the SBC');
    is(line_of($id)->{codec},
        'G.729', 'and on the platform');
    is(timeline($id), 'HISTORY CURRENT', 'one more in HISTORY');
};

subtest 'a modify that fails' => sub {
    my $id     = living(voip('1'));
    my $before = service($t, $id);
    rule($t, target => 'telephony', method => 'PUT', times => 1,
        action => { status => 422, body => { why => 'no such codec' } });
    my $done = ends($t,
        ordered($t, change('1', $id, codec => 'G.729'))->{id}, 'failed');
    like(errors($done->{serviceOrderItem}[0]),
        qr/changeLine.*telephony answered 422.*no such codec/, 'says why');
    ok(same_document(service($t, $id), $before), 'the service is as it was');
    is(timeline($id), 'CURRENT', 'nothing PENDING is left');
    is(subscriber($t, 'sbc', $id)->{codec}, 'G.722', 'the SBC is put back');
    is(line_of($id)->{codec},
        'G.722', 'the platform was never changed');
    is($t->sql("select count(*) from service_change where service_id = '$id'"),
        0, 'nobody holds it');
    ends($t, ordered($t, change('1', $id, codec => 'G.729'))->{id},
        'completed', 'the next one works');
    is(value_of(service($t, $id), 'codec'), 'G.729', 'and is shown');

    # one whose answers are lost: the old values are put back
    $id     = living(internet('1'));
    $before = service($t, $id);
    rule($t, target => 'bng', method => 'PUT', bodyContains => '"500"',
        action => { dropAfterApply => $true });
    ends($t, ordered($t, change('1', $id,
        internetService => { internetBandwidth => '500' }))->{id}, 'failed',
        'one whose answers are lost');
    is(subscriber($t, 'bng', $id)->{bandwidth}, '100', 'the BNG is put back');
    ok(same_document(service($t, $id), $before), 'the service is as it was');
    $t->sim('DELETE', '/_rules');

    # one that a device takes and does not do
    rule($t, target => 'bng', method => 'PUT', bodyContains => '"600"',
        action => { tamper => { bandwidth => '1' } });
    $done = ends($t, ordered($t, change('1', $id,
        internetService => { internetBandwidth => '600' }))->{id}, 'failed',
        'one that is not done');
    like(errors($done->{serviceOrderItem}[0]), qr/^mismatch/, 'a mismatch');
    is(subscriber($t, 'bng', $id)->{bandwidth}, '100', 'put back');
    is(timeline($id), 'CURRENT', 'as it was');
    $t->sim('DELETE', '/_rules');
};

subtest 'a delete' => sub {
    for my $item (internet('1'), voip('1')) {
        my $id     = living($item);
        my $target = $item->{service}{name} =~ /^Line/ ? 'sbc' : 'bng';
        my $name   = $item->{service}{name};
        isnt(resource_rows($id), 0, "$name: has a resource");
        ends($t, ordered($t, removal('1', $id))->{id}, 'completed');
        my $service = service($t, $id);
        is($service->{state}, 'terminated', 'it is terminated');
        is($service->{operatingStatus}, 'stopped', 'and stopped');
        is(resources($service), '', 'without resources');
        ok(!$service->{isServiceEnabled}, 'nor enabled');
        like($service->{endDate} // '', qr/^\d{4}-.*Z$/, 'it has an end');
        is(resource_rows($id), 0, 'what it had is free again');
        is(join(' ', grep { /\Q$id\E/ }
            keys %{ $t->sim('GET', '/_state')->{json} }), '',
            'the network is clean');
        is($t->sql("select count(*) from service_change where service_id ="
            . " '$id'"), 0, 'nobody holds it');
        $t->wait_for(WAIT, sub { types_told($id) =~ /=terminated/ }, 'told');
    }
    my $line = $t->sql('select count(*) from resource_allocation'
            . " where pool like 'number-%' and holder is null");
    my $id = living(voip('1'));
    ends($t, ordered($t, removal('1', $id))->{id}, 'completed');
    is($t->sql('select count(*) from resource_allocation'
            . " where pool like 'number-%' and holder is null"),
        $line, 'the number is back in its pool');
};

subtest 'a delete that fails' => sub {
    my $id = living(voip('1'));
    rule($t, target => 'telephony', method => 'DELETE', times => 1,
        action => { status => 409, body => { why => 'a call is up' } });
    my $done = ends($t, ordered($t, removal('1', $id))->{id}, 'failed');
    like(errors($done->{serviceOrderItem}[0]),
        qr/removeLine.*409.*a call is up/, 'says why');
    is(service($t, $id)->{state}, 'active', 'the service lives on');
    isnt(resource_rows($id), 0, 'with its number');
    isnt(subscriber($t, 'sbc', $id), undef, 'and its subscriber');
    is($t->sql("select count(*) from service_change where service_id = '$id'"),
        0, 'nobody holds it');

    # past the point of no return there is no way back, and it is said
    rule($t, target => 'sbc', method => 'DELETE',
        action => { status => 500, body => { why => 'disk full' } });
    $done = ends($t, ordered($t, removal('1', $id))->{id}, 'failed',
        'half of it done');
    like(errors($done->{serviceOrderItem}[0]),
        qr/removeSubscriber.*disk full/, 'says where it stands');
    is(service($t, $id)->{state}, 'inactive', 'the service is inactive');
    isnt(resource_rows($id), 0, 'its number is not given to another');
    $t->sim('DELETE', '/_rules');
    ends($t, ordered($t, removal('1', $id))->{id}, 'completed',
        'a second order finishes it');
    is(service($t, $id)->{state}, 'terminated', 'terminated');
    is(resource_rows($id), 0, 'and its number is free');
};

subtest 'two changes in a row, from one client' => sub {
    my $id = living(voip('1'));
    my @ids;
    for my $codec ('a', 'b', 'c') {
        my $order = ordered($t, change('1', $id, codec => $codec));
        ends($t, $order->{id}, 'completed', "the change to $codec");
        push @ids, $order->{id};
    }
    is(value_of(service($t, $id), 'codec'), 'c', 'the last one holds');
    is(timeline($id), 'HISTORY HISTORY HISTORY CURRENT', 'all are kept');
    is(join(' ', $t->sql('select order_id from entity_instance_configuration'
        . " where instance_id = '$id' order by valid_from offset 1")),
        "@ids", 'each with its order');
};

is($t->sql('select count(*) from (select instance_id from'
    . " entity_instance_configuration where timeline = 'CURRENT'"
    . ' group by 1 having count(*) <> 1) x'), 0, 'one CURRENT each');
is($t->sql('select count(*) from entity_instance_configuration where timeline'
    . " = 'PENDING'"), 0, 'nothing PENDING is left behind');
$t->stop;
done_testing;
