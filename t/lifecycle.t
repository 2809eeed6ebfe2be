# Failing targets: what is tried again, what is undone, what a client is told,
# and what vendors may and may not do to an order by calling back.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

my $true = JSON::PP::true;

# A vendor has three seconds here, and a target one.
my $t = Turnup->start(
    families => quick_families(
        '"deadline": "14d"' => '"deadline": "3s"',
        '"timeout": "5s"'   => '"timeout": "1s"',
    )
);
my $listener = $t->listener;
subscribe($t, ORDERS, $listener);

# The service of an item.
sub service_of {
    my ($order, $item) = @_;
    my ($found) = grep { $_->{id} eq ($item // '1') }
        @{ $order->{serviceOrderItem} };
    return $found->{service}{id};
}

# What the journal has of an item: "done:allocatePort failed:...".
sub journal {
    my ($order, $item) = @_;
    $item //= '1';
    return join ' ', $t->sql(
        "select j.event || '>' || j.state from activation_journal j"
            . ' join service_order_item i on i.activation_id = j.activation_id'
            . " where i.order_id = '$order->{id}' and i.item_id = '$item'"
            . ' order by j.seq');
}

# A service that never came to be leaves nothing behind.
sub is_clean {
    my ($service, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $left = join ' ',
        grep { /\Q$service\E/ }
        keys %{ $t->sim('GET', '/_state')->{json} };
    is($left, '', "$name: nothing is left in the network");
    is($t->sql('select count(*) from resource_allocation'
                . " where holder = '$service'"),
        0, 'no resource is kept');
    my $shown = $t->get(SERVICES . "/$service");
    ok($shown->{status} == 404 || $shown->{json}{state} eq 'terminated',
        'and no service is shown as living')
        or diag($shown->{content});
}

subtest 'one of two fails for good' => sub {
    rule($t, target => 'telephony', method => 'PUT',
        action => { status => 422, body => { why => 'number is barred' } });
    my $order = ordered($t, internet('net'), voip('line'));
    my $done  = ends($t, $order->{id}, 'partial');
    is(item_states($done), 'net=completed line=failed', 'item by item');
    my ($net, $line) = map { service_of($done, $_) } qw(net line);
    is(service($t, $net)->{state}, 'active', 'the one is active');
    my $error = $done->{serviceOrderItem}[1]{errorMessage}[0];
    is($error->{code}, 'targetRefused', 'the other failed:');
    like($error->{reason}, qr/activateLine/, 'its error names the step');
    like($error->{message}, qr/telephony answered 422.*number is barred/,
        'and what the target said');
    is($error->{status}, '422', 'and its status');
    ok(!$done->{serviceOrderItem}[0]{errorMessage}, 'the good one has none');
    is($done->{errorMessage}[0]{serviceOrderItem}[0]{itemId},
        'line', 'the order names the item');
    like(journal($done, 'line'),
        qr/undoing:createSubscriber.*undoing:allocateNumber/,
        'undone in reverse');
    is(counts_of($t, "/sbc/subscriber/$line"), 'DELETE=1/1 PUT=1/1',
        'its earlier step was taken back');
    is_clean($line, 'the failed one');
    $t->wait_for(WAIT,
        sub { states_told($listener, $done->{id}) =~ /partial/ }, 'told');
    my ($event) = grep { resource($_)->{state} eq 'partial' }
        told($listener, $done->{id}, qr/StateChange/);
    like(errors(resource($event)), qr/telephony answered 422/, 'with reason');

    my $both = ordered($t, voip('a'), voip('b'));
    $done = ends($t, $both->{id}, 'failed', 'all of them fail');
    is(item_states($done), 'a=failed b=failed', 'each');
    is(@{ $done->{errorMessage} }, 2, 'and the order names both');
    is_clean(service_of($done, $_), $_) for qw(a b);
    $t->sim('DELETE', '/_rules');
};

subtest 'tried again until it works' => sub {
    rule($t, target => 'bng', method => 'PUT', times => 2,
        action => { status => 503, body => { why => 'busy' } });
    my $done = ends($t, ordered($t, internet('1'))->{id}, 'completed',
        'two refusals, then fine');
    my $service = service_of($done);
    is(counts_of($t, "/bng/subscriber/$service"), 'PUT=3/1', 'three calls');
    ok(!$done->{errorMessage} && !$done->{serviceOrderItem}[0]{errorMessage},
        'a failure that was got over is no error');
    my $activation = $t->sql('select activation_id from service_order_item'
            . " where order_id = '$done->{id}'");
    my $key = $t->sim('GET',
        "/_counts?key=$activation:configureBng&target=bng")->{json};
    is($key->{calls}, 3, 'under one Idempotency-Key');
    is($key->{applied}, 1, 'applied once');

    rule($t, target => 'bng', method => 'PUT', times => 1,
        action => { dropAfterApply => $true });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'completed',
        'a lost answer');
    $service = service_of($done);
    is(counts_of($t, "/bng/subscriber/$service"), 'PUT=2/1',
        'asked again, not applied again');
    is(service($t, $service)->{state}, 'active', 'the service is active');

    rule($t, target => 'bng', method => 'PUT', times => 1,
        action => { hang => $true });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'completed',
        'no answer at all');
    is(counts_of($t, '/bng/subscriber/' . service_of($done)), 'PUT=2/1',
        'asked again after the time-out');

    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { dropAfterApply => $true });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'completed',
        'a vendor whose answer got lost');
    is(counts_of($t, '/vendor/orders/' . service_of($done)), '',
        'nothing but the order at the vendor');
    is(vendor_order($t, service_of($done))->{status}, 'delivered',
        'which was delivered');
    is(scalar(grep { m{/vendor/orders/} && /@{[service_of($done)]}/ }
        keys %{ $t->sim('GET', '/_state')->{json} }), 1, 'once');
};

subtest 'given up' => sub {
    rule($t, target => 'bng', method => 'PUT', action => { status => 503 });
    my $done = ends($t, ordered($t, internet('1'))->{id}, 'failed',
        'a target that is down');
    my $service = service_of($done);
    is(counts_of($t, "/bng/subscriber/$service") =~ s{ ?PUT=}{}r
            =~ s/DELETE=1\/0 ?//r,
        '4/0', 'all attempts were made');
    my $error = $done->{serviceOrderItem}[0]{errorMessage}[0];
    is($error->{code}, 'targetUnavailable', 'the error says');
    like($error->{message}, qr/bng answered 503/, 'what it was');
    is_clean($service, 'given up');
    $t->sim('DELETE', '/_rules');

    # applied, but nobody knows: the undo takes it back
    rule($t, target => 'bng', method => 'PUT',
        action => { dropAfterApply => $true });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'failed',
        'a target whose answers all get lost');
    is_clean(service_of($done), 'applied without an answer');
    $t->sim('DELETE', '/_rules');

    # an undo that fails is tried again
    rule($t, target => 'telephony', method => 'PUT', times => 1,
        action => { status => 409 });
    rule($t, target => 'sbc', method => 'DELETE', times => 2,
        action => { status => 500 });
    $done = ends($t, ordered($t, voip('1'))->{id}, 'failed', 'a slow undo');
    is(counts_of($t, '/sbc/subscriber/' . service_of($done)),
        'DELETE=3/1 PUT=1/1', 'is tried again');
    is_clean(service_of($done), 'in the end');
    unlike(errors($done->{serviceOrderItem}[0]), qr/undoIncomplete/,
        'no complaint');
    $t->sim('DELETE', '/_rules');

    # one that never works is said, and what can be undone is
    rule($t, target => 'telephony', method => 'PUT', times => 1,
        action => { status => 409 });
    rule($t, target => 'sbc', method => 'DELETE',
        action => { status => 500 });
    $done = ends($t, ordered($t, voip('1'))->{id}, 'failed',
        'an undo that never works');
    like(errors($done->{serviceOrderItem}[0]),
        qr/telephony answered 409.*^undoIncomplete/ms, 'is not hidden');
    is($t->sql('select count(*) from resource_allocation where holder = '
                . "'" . service_of($done) . "'"),
        0, 'the rest is undone');
    $t->sim('DELETE', '/_rules');
};

subtest 'a device that shows something else' => sub {
    rule($t, target => 'bng', method => 'GET', times => 2,
        action => { status => 200, body => { bandwidth => '1' } });
    my $done = ends($t, ordered($t, internet('1'))->{id}, 'completed',
        'wrong for a while');
    is(() = journal($done) =~ /mismatch>/g, 2, 'looked at again');
    $t->sim('DELETE', '/_state');
    rule($t, target => 'bng', method => 'PUT',
        action => { tamper => { bandwidth => '1' } });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'failed',
        'wrong for ever');
    my $error = $done->{serviceOrderItem}[0]{errorMessage}[0];
    is($error->{code}, 'mismatch', 'said as a mismatch');
    like($error->{reason},  qr/verify/,                      'of which step');
    like($error->{message}, qr{/bandwidth.*"1".*"100"}, 'and of what');
    is(() = journal($done) =~ /mismatch>/g, 4, 'looked at again and again');
    is_clean(service_of($done), 'then');
    $t->sim('DELETE', '/_rules');
};

subtest 'vendors' => sub {
    rule($t, target => 'vendor', method => 'POST', times => 1, action => {
        async => { result => { status => 'failed', why => 'sold out' } } });
    my $done = ends($t, ordered($t, internet('1'))->{id}, 'failed',
        'a vendor that cannot');
    my $error = $done->{serviceOrderItem}[0]{errorMessage}[0];
    is($error->{code}, 'targetRefused', 'the error');
    like($error->{reason},  qr/orderCpe/,             'names the step');
    like($error->{message}, qr/called back.*sold out/, 'and the reason');
    is_clean(service_of($done), 'a refused delivery');

    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { never => $true } });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'failed',
        'a vendor that never calls');
    $error = $done->{serviceOrderItem}[0]{errorMessage}[0];
    is($error->{code}, 'deadline', 'the error');
    like($error->{reason}, qr/orderCpe/, 'names the step');
    is_clean(service_of($done), 'a missed deadline');
    $t->wait_for(WAIT,
        sub { states_told($listener, $done->{id}) =~ /failed/ }, 'told');
    is(states_told($listener, $done->{id}),
        'acknowledged inProgress pendingExternal inProgress failed',
        'state by state');

    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { twice => $true } });
    $done = ends($t, ordered($t, internet('1'))->{id}, 'completed',
        'a vendor that calls twice');
    my $service = service_of($done);
    $t->wait_for(WAIT,
        sub { $t->sim('GET', '/_counts')->{json}{callbacks}{pending} == 0 },
        'its second call is taken');
    my $is = order($t, $done->{id});
    is($is->{state}, 'completed', 'and changes nothing');
    is(states_told($listener, $done->{id}) =~ s/.* //r,
        'completed', 'nor is told');
    my ($serial) = map { $_->{value} }
        grep { $_->{name} eq 'cpeSerialNumber' }
        @{ service($t, $service)->{serviceCharacteristic} };
    is($serial, vendor_order($t, $service)->{serialNumber}, 'the serial');

    # what comes late
    my $url  = vendor_order($t, $service)->{callbackUrl};
    my $path = $url =~ s{^\w+://[^/]+}{}r;
    my $late = $t->post($path, { status => 'failed', why => 'changed mind' });
    ok($late->{status} == 204 || $late->{status} == 404, 'a late call')
        or diag($late->{content});
    is(service($t, $service)->{state}, 'active', 'changes nothing');
    is(order($t, $done->{id})->{state}, 'completed', 'nor here');
};

subtest 'calls that nobody waits for' => sub {
    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { never => $true } });
    my $id = ordered($t, internet('1'))->{id};
    my $service = service_of(in_state($t, $id, 'pendingExternal'));
    my $path = vendor_order($t, $service)->{callbackUrl}
        =~ s{^\w+://[^/]+}{}r;
    my ($before, $activation, $visit, $mac) =
        $path =~ m{^(.*/)([-0-9a-f]{36})\.(\d+)\.([0-9a-f]{32})$}
        or die "unknown form of token: $path\n";
    my $delivered = { status => 'delivered', serialNumber => 'forged' };
    my $flipped   = $mac =~ s/^(.)/$1 eq '0' ? '1' : '0'/er;
    my $next      = $visit + 1;
    my $other     = $activation =~ s/.$/sprintf '%x', 15 - hex $&/er;
    for my $token (
        "$activation.$visit.$flipped", "$activation.$next.$mac",
        "$other.$visit.$mac",          "$activation.$visit.",
        "$activation.$visit",          $activation,
        "$activation.$visit.$mac" . '0', 'x',
        '....', "$activation.$visit." . '0' x 32,
        "$activation.-$visit.$mac",
    )
    {
        is_error($t->post($before . $token, $delivered), 404,
            "forged: $token");
    }
    is_error($t->get($path),    405, 'GET of the right one');
    is_error($t->delete($path), 405, 'DELETE of it');
    for my $body ('{', '[1', "{\"status\":\"\xff\"}", '"x' ) {
        is_error($t->post($path, $body), 400, 'the right one, no JSON');
    }
    is(order($t, $id)->{state}, 'pendingExternal', 'all that is ignored');
    is($t->sql('select count(*) from activation_signal'), 0, 'nothing stays');
    is($t->post($path, { status => 'delivered' })->{status},
        204, 'a call without what was promised');
    my $done = ends($t, $id, 'failed', 'fails the step');
    like(errors($done->{serviceOrderItem}[0]),
        qr{answerIncomplete.*/serialNumber}, 'which says what is missing');
    is_clean($service, 'then');
};

subtest 'resources' => sub {
    my $free = $t->sql("select count(*) from resource_allocation where"
            . " pool = 'number-mobile' and holder is null");
    my $mobile = sub {
        my $item = voip($_[0]);
        push @{ $item->{service}{serviceCharacteristic} },
            { name => 'numberRange', value => 'mobile' };
        return $item;
    };
    my $done = ends($t, ordered($t, $mobile->('1'))->{id}, 'completed');
    my ($number) = map { $_->{value} }
        grep { $_->{name} eq 'telephoneNumber' }
        @{ service($t, service_of($done))->{serviceCharacteristic} };
    like($number, qr/^\+4207\d{8}$/, 'of the pool that was asked for');
    $t->sql("update resource_allocation set holder = gen_random_uuid()"
            . " where pool = 'number-mobile' and holder is null");
    $done = ends($t, ordered($t, $mobile->('1'))->{id}, 'failed',
        'an empty pool');
    is(errors($done->{serviceOrderItem}[0]),
        'resourceExhausted | Step allocateNumber failed'
            . ' | No free value in the resource pool "number-mobile"',
        'names the step and the pool');
    is(counts_of($t, '/sbc/subscriber/' . service_of($done)), '',
        'the network is not touched');
    my $item = voip('1');
    push @{ $item->{service}{serviceCharacteristic} },
        { name => 'numberRange', value => 'lunar' };
    $done = ends($t, ordered($t, $item)->{id}, 'failed', 'no such pool');
    is(errors($done->{serviceOrderItem}[0]),
        'unknownResourcePool | Step allocateNumber failed'
            . ' | There is no resource pool "number-lunar"',
        'is not taken for an empty one');
    my $fixed = voip('fixed');
    $done = ends($t, ordered($t, $fixed, $mobile->('mobile'), $item)->{id},
        'partial', 'all three at once');
    is(item_states($done), 'fixed=completed mobile=failed 1=failed', 'each');
    is(join(' ', map { $_->{errorMessage}[0]{message} =~ /("\S+")/ }
            @{ $done->{serviceOrderItem} }[ 1, 2 ]),
        '"number-mobile" "number-lunar"', 'by its own pool');
};

# Until a family has looked for new definitions, twice: the first time may have
# begun before.
sub looks {
    my ($family) = @_;
    my $seen =
        "select seen_at from worker where slot like 'family:$family:%'";
    for (1 .. 2) {
        my $before = $t->sql($seen);
        $t->wait_for(WAIT, sub { $t->sql($seen) ne $before },
            "$family looks");
    }
}

# Stores a family's first definition with something else in it.
sub define {
    my ($family, $number, $from, $to) = @_;
    $t->sql('insert into family_definition'
            . ' (id, family, version, hash, body) overriding system value'
            . " select $number, family, version, 'hash $number',"
            . " replace(body, '$from', '$to') from family_definition"
            . " where family = '$family' order by id limit 1");
    looks($family);
}

sub next_number {
    return $t->sql('select nextval(pg_get_serial_sequence('
            . "'family_definition', 'id'))");
}

# An order of one item that follows that definition.
sub ordered_by {
    my ($number, $item) = @_;
    my $id = post_order($t, [$item],
        requestedStartDate => '2099-01-01T00:00:00.000Z')->{json}{id};
    $t->sql("with o as (update service_order set requested_start = null"
            . " where id = '$id') update activation set definition_id"
            . " = $number, due_at = now() where order_id = '$id'");
    return $id;
}

sub refused {
    return scalar grep {/stored definition refused/} $t->log_lines('turnupd');
}

# A number is given before its transaction commits: of two that store a
# definition at the same time, the lower one may be seen last.
subtest 'a definition that somebody else stores' => sub {
    my ($low, $high) = (next_number(), next_number());
    for ([ $high, 'later' ], [ $low, 'earlier' ]) {
        my ($number, $name) = @$_;
        define('internet-access', $number, '"CPE vendor"', qq{"$name"});
        rule($t, target => 'vendor', method => 'POST', times => 1,
            action => { async => { never => $true } });
        my $order = in_state($t, ordered_by($number, internet('1')),
            'pendingExternal', "the $name number");
        is($order->{pendingExternal}{party}, $name, 'is taken up');
    }
    is(refused(), 0, 'none was refused');
    $t->sql('insert into family_definition (family, version, hash, body)'
            . " values ('internet-access', 'x', 'broken', '{')");
    looks('internet-access') for 1 .. 2;
    is(refused(), 1, 'a broken one is refused once');
};

subtest 'a pool whose name cannot be told' => sub {
    my $number = next_number();
    define('voip', $number,
        '"allocate": { "pool": "number-{{characteristic.numberRange}}"',
        '"allocate": { "pool": "number-{{characteristic.area}}"');
    my $done = ends($t, ordered_by($number, voip('1')), 'failed');
    is(errors($done->{serviceOrderItem}[0]),
        'missingValue | Step allocateNumber failed'
            . ' | no value for characteristic.area',
        'says what is missing');
};

$t->stop;
done_testing;
