# Cancelling orders: at every place they can be in, by task, with everything
# undone in the network, in the inventory and among the resources; and what is
# refused or denied.
use v5.32;
use strict;
use warnings;
use IO::Handle;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

use constant CANCELS => ORDERS =~ s{[^/]+$}{cancelServiceOrder}r;

my $true = JSON::PP::true;

# A line that telephony refuses is tried again after 100 s: longer than
# anything here is waited for. Hints go to either of two processes.
my $t = Turnup->start(
    families => quick_families(
        '"timeout": "5s"' => '"timeout": "3s"',
        '{ "state": "activateLine",' => '{ "state": "activateLine", "retry":'
            . ' { "attempts": 3, "first": "100s", "factor": 1, "cap": "100s",'
            . ' "jitter": 0 },',
    ),
    conf => { 'pool family:voip.processes' => 2 },
);
my $listener = $t->listener;
subscribe($t, ORDERS, $listener);

sub cancel {
    my ($order, %rest) = @_;
    my $headers = delete $rest{headers};
    return $t->post(CANCELS, { serviceOrder => { id => $order }, %rest },
        $headers);
}

sub task { return $t->get(CANCELS . "/$_[0]")->{json} }

# Posted and taken in: the task.
sub cancelling {
    my ($order, %rest) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $reply = cancel($order, %rest);
    is($reply->{status}, 201, 'the cancellation is taken in')
        or diag($reply->{content});
    return $reply->{json};
}

# The same while nobody of a family can go on: what is under way stays so.
# Whatever is to be seen meanwhile is looked at by $look.
sub cancelling_still {
    my ($family, $order, $look) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @pids = $t->freeze("family:$family");
    my $task = cancelling($order);
    $look->($task) if $look;
    $t->thaw($_) for @pids;
    return $task;
}

# Cancelled: the order, its task, and nothing but that told of them.
sub is_cancelled {
    my ($order, $task, $told, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $done = ends($t, $order, 'cancelled', $name);
    is(join(' ', item_states($done) =~ /=(?!cancelled)\S*/g),
        '', 'with all its items');
    ok(!$done->{errorMessage} && !$done->{completionDate},
        'no error, not completed');
    my $is = task($task);
    is($is->{state}, 'done', 'its task is done');
    is($is->{effectiveCancellationDate}, $done->{cancellationDate},
        'since the order is cancelled');
    like($done->{cancellationDate}, qr/^\d{4}-.*T.*Z$/, 'at a time');
    is($t->sql('select count(*) from activation a where order_id ='
                . " '$order' and seq <> (select count(*) from"
                . ' activation_journal j where j.activation_id = a.id)'),
        0, 'the journal has no gap');
    $t->wait_for(WAIT,
        sub { states_told($listener, $task) =~ / done$/ }, 'which is told');
    is(states_told($listener, $order),
        join(' ', 'acknowledged', $told || (),
            qw(assessingCancellation pendingCancellation cancelled)),
        'state by state');
    is(states_told($listener, $task), 'acknowledged inProgress done',
        'and of the task');
    return $done;
}

sub service_of {
    my ($order, $item) = @_;
    my ($found) =
        grep { $_->{id} eq ($item // '1') } @{ $order->{serviceOrderItem} };
    return $found->{service}{id};
}

# A service that never came to be leaves nothing behind.
sub is_clean {
    my ($service) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(join(' ', grep { /\Q$service\E/ }
                keys %{ $t->sim('GET', '/_state')->{json} }),
        '', 'nothing is left in the network');
    is($t->sql('select count(*) from resource_allocation'
                . " where holder = '$service'"),
        0, 'no resource is kept');
    my $shown = $t->get(SERVICES . "/$service");
    ok($shown->{status} == 404 || $shown->{json}{state} eq 'terminated',
        'and no service is shown as living')
        or diag($shown->{content});
}

sub called {
    my ($path, $counts) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->wait_for(WAIT, sub { counts_of($t, $path) eq $counts },
        "$counts is called");
}

sub line_rule {
    my (%action) = @_;
    rule($t, target => 'telephony', method => 'PUT', action => \%action);
}

sub living {
    my $done = ends($t, ordered($t, $_[0])->{id}, 'completed', 'a service');
    return service_of($done);
}

my $later = '2099-01-01T00:00:00.000Z';

subtest 'not begun' => sub {
    my $id =
        post_order($t, [ internet('1'), voip('2') ],
            requestedStartDate => $later)->{json}{id};
    my $reply = cancel(
        $id,
        cancellationReason        => 'changed my mind',
        requestedCancellationDate => '2020-01-01T00:00:00.000Z',
        'x-ours'                  => [1],
    );
    is($reply->{status}, 201, 'taken in');
    my $task = $reply->{json};
    is($reply->{headers}{location}, $t->url . CANCELS . "/$task->{id}",
        'Location');
    is($task->{href},  $reply->{headers}{location}, 'href');
    is($task->{state}, 'acknowledged',              'acknowledged');
    is_deeply($task->{serviceOrder},
        { id => $id, href => $t->url . ORDERS . "/$id" }, 'of which order');
    is_deeply([ @$task{qw(cancellationReason x-ours)} ],
        [ 'changed my mind', [1] ], 'with all that was sent');
    my $done = is_cancelled($id, $task->{id}, '', 'a start date is no delay');
    is($done->{cancellationReason}, 'changed my mind', 'the reason');
    ok(!$done->{startDate}, 'it was never begun');
    ok(!(grep { $_->{errorMessage} } @{ $done->{serviceOrderItem} }),
        'what the client wants is no error');
    for ([ 1 => 'bng' ], [ 2 => 'sbc' ]) {
        my ($item, $target) = @$_;
        my $service = service_of($done, $item);
        is(counts_of($t, "/$target/subscriber/$service"),
            '', "$target has never heard of it");
        is_clean($service);
    }
    my ($created) = told($listener, $task->{id}, qr/CreateEvent/);
    is_deeply(
        $created->{event}{cancelServiceOrder},
        { %$task, '@type' => 'CancelServiceOrder' },
        'the creation is told whole'
    );
    my ($told) = grep { resource($_)->{state} eq 'done' }
        told($listener, $task->{id});
    is(resource($told)->{effectiveCancellationDate},
        $done->{cancellationDate}, 'the end with its date');
    is_deeply(resource($told)->{serviceOrder}, $task->{serviceOrder},
        'and its order');
};

subtest 'waiting for a vendor' => sub {
    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { never => $true } });
    my $id      = ordered($t, internet('1'))->{id};
    my $service = service_of(in_state($t, $id, 'pendingExternal'));
    my $path    = vendor_order($t, $service)->{callbackUrl}
        =~ s{^\w+://[^/]+}{}r;
    my $task = cancelling($id);
    my $done = is_cancelled($id, $task->{id}, 'inProgress pendingExternal',
        'given up by all');
    ok(!$done->{pendingExternal}, 'nobody is waited for');
    is(counts_of($t, "/bng/subscriber/$service"),
        'DELETE=1/1 PUT=1/1', 'the device: once');
    is(counts_of($t, "/vendor/orders/$service"), 'DELETE=1/1',
        'the vendor too');
    is_clean($service);
    my $late = $t->post($path, { status => 'delivered', serialNumber => 'x' });
    ok($late->{status} == 204 || $late->{status} == 404, 'a late delivery')
        or diag($late->{content});
    is(order($t, $id)->{state}, 'cancelled', 'changes nothing');
};

subtest 'a call under way' => sub {
    rule($t, target => 'bng', method => 'PUT', times => 1,
        action => { delayMs => 1500 });
    my $order   = ordered($t, internet('1'));
    my $service = service_of($order);
    called("/bng/subscriber/$service", 'PUT=1/1');
    my $task = cancelling_still('internet-access', $order->{id}, sub {
        is(order($t, $order->{id})->{state},
            'pendingCancellation', 'under way');
        is(task($_[0]{id})->{state}, 'inProgress', 'as its task');
        is_error(cancel($order->{id}), 409, 'a second one',
            '/serviceOrder/id');
    });
    is_cancelled($order->{id}, $task->{id}, 'inProgress', 'when it ended');
    is(counts_of($t, "/bng/subscriber/$service"),
        'DELETE=1/1 PUT=1/1', 'what had happened was taken back');
    is_clean($service);
    is_error(cancel($order->{id}), 409, 'a third one', '/serviceOrder/id');

    # no answer at all: it may have happened
    rule($t, target => 'bng', method => 'PUT', times => 1,
        action => { hang => $true, afterApply => $true });
    $order   = ordered($t, internet('1'));
    $service = service_of($order);
    called("/bng/subscriber/$service", 'PUT=1/1');
    $task = cancelling_still('internet-access', $order->{id});
    is_cancelled($order->{id}, $task->{id}, 'inProgress', 'no answer');
    is($t->sql(q{select max(at) filter (where event = 'cancel') - max(at)}
                . q{ filter (where state = 'forward:configureBng' and event =}
                . q{ 'done') >= interval '2.9 s' from activation_journal}
                . ' where activation_id in (select id from activation where'
                . " order_id = '$order->{id}')"),
        't', 'but waited for: no undo overtakes its command');
    is_clean($service);
};

# Whoever has it in memory sleeps; the hint may go to the other process.
subtest 'between two attempts' => sub {
    line_rule(status => 503);
    my @orders = map { ordered($t, voip('1')) } 1 .. 4;
    for my $order (@orders) {
        my $line = service_of($order);
        $t->wait_for(WAIT, sub {
            $t->sql('select count(*) from activation_journal j join activation'
                    . " a on a.id = j.activation_id where a.service_id ="
                    . " '$line' and j.event = 'failed'") == 1;
        }, 'one attempt has failed');
    }
    my @tasks = map { cancelling($_->{id}) } @orders;
    for (0 .. $#orders) {
        is_cancelled($orders[$_]{id}, $tasks[$_]{id}, 'inProgress',
            'without another attempt');
        is_clean(service_of($orders[$_]));
    }
    $t->sim('DELETE', '/_rules');
};

subtest 'two families, and one that waits for both' => sub {
    line_rule(status => 503);
    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { never => $true } });
    my $order = ordered($t, internet('net'), voip('line'),
        relies_on(voip('last'), 'net', 'line'));
    $t->wait_for(WAIT,
        sub { item_states(order($t, $order->{id})) =~ /net=pendingExternal/ },
        'one waits');
    my $line = service_of($order, 'line');
    called("/sbc/subscriber/$line", 'PUT=1/1');
    my $task = cancelling($order->{id}, cancellationReason => 'all of it');
    my $done = ends($t, $order->{id}, 'cancelled');
    is(item_states($done), 'net=cancelled line=cancelled last=cancelled',
        'each of them');
    is_clean(service_of($order, $_)) for qw(net line last);
    is(counts_of($t, '/sbc/subscriber/' . service_of($order, 'last')),
        '', 'what had to wait was never begun');
    $t->wait_for(WAIT,
        sub { states_told($listener, $task->{id}) =~ / done$/ }, 'told');
    like(states_told($listener, $order->{id}),
        qr/ assessingCancellation pendingCancellation cancelled$/,
        'and the order once');
    my ($pending) = grep { resource($_)->{state} eq 'pendingCancellation' }
        told($listener, $order->{id}, qr/StateChange/);
    is(resource($pending)->{cancellationReason}, 'all of it', 'with reason');
    $t->sim('DELETE', '/_rules');
};

# Then only the row says when to look, and nobody may put that off.
subtest 'a hint that is lost' => sub {
    my $id = post_order($t, [ internet('1') ], requestedStartDate => $later)
        ->{json}{id};
    my @pids = $t->freeze('family:internet-access');
    my $task = cancelling($id);
    is($t->redis(qw(XTRIM turnup:fam:internet-access MAXLEN 0)) + 0,
        1, 'it goes with its stream');
    is_error(
        $t->patch(ORDERS . "/$id",
            { requestedStartDate => '2098-01-01T00:00:00.000Z' }),
        409, 'a later start', '/requestedStartDate'
    );
    $t->kill9($_) for @pids;
    is_cancelled($id, $task->{id}, '', 'costs time, not work');
};

subtest 'nested, and what changes nothing' => sub {
    my $service = living(voip('1'));
    my $parent  = {
        id => 'all', action => 'add', service => {},
        serviceOrderItem => [
            { id => 'same', action => 'noChange',
                service => { id => $service } },
            voip('new'),
        ],
    };
    my $id = post_order($t, [$parent], requestedStartDate => $later)
        ->{json}{id};
    is(item_states(order($t, $id)),
        'all=inProgress same=completed new=acknowledged', 'before');
    my $task = cancelling($id);
    my $done = is_cancelled($id, $task->{id}, '', 'as a whole');
    is(item_states($done), 'all=cancelled same=cancelled new=cancelled',
        'item by item');
    is(service($t, $service)->{state}, 'active', 'what runs goes on');
};

subtest 'changes of what runs' => sub {
    my $service = living(internet('1'));
    my $before  = text_of(subscriber($t, 'bng', $service));
    rule($t, target => 'bng', method => 'PUT', times => 1,
        action => { delayMs => 1500 });
    my $faster = sub {
        return change('1', $service, internetService => {
            internetBandwidth       => '500',
            internetServiceSla      => '99.95',
            internetServiceMaxSpeed => '500' });
    };
    my $order = ordered($t, $faster->());
    called("/bng/subscriber/$service", 'PUT=2/2');
    my $task = cancelling_still('internet-access', $order->{id});
    is_cancelled($order->{id}, $task->{id}, 'inProgress', 'a modify');
    is(text_of(subscriber($t, 'bng', $service)), $before, 'is put back');
    is($t->sql('select string_agg(timeline, \' \') from'
                . ' entity_instance_configuration where instance_id ='
                . " '$service'"),
        'CURRENT', 'no configuration is left of it');

    my $id = post_order($t, [ removal('1', $service) ],
        requestedStartDate => $later)->{json}{id};
    $task = cancelling($id);
    is_cancelled($id, $task->{id}, '', 'a delete');
    is(service($t, $service)->{state}, 'active', 'never happened');
    ends($t, ordered($t, $faster->())->{id}, 'completed',
        'and the service is free for the next');
};

# The first step of a delete takes away what nobody gives back.
subtest 'past the point of no return' => sub {
    my $service = living(internet('1'));
    rule($t, target => 'vendor', method => 'DELETE', times => 1,
        action => { delayMs => 1500 });
    my $order = ordered($t, removal('1', $service));
    called("/vendor/orders/$service", 'DELETE=1/1');
    my $task = cancelling_still('internet-access', $order->{id}, sub {
        my $done = task($_[0]{id});
        is($done->{state}, 'done', 'done at once');
        is($done->{completionMessage},
            'Denied: item "1" is past its point of no return', 'and says why');
        ok(!$done->{effectiveCancellationDate}, 'nothing was cancelled');
    });
    my $done = ends($t, $order->{id}, 'completed', 'the order goes on');
    ok(!$done->{cancellationDate} && !$done->{cancellationReason},
        'as if nothing had been');
    $t->wait_for(WAIT,
        sub { states_told($listener, $order->{id}) =~ /completed/ }, 'told');
    is(states_told($listener, $order->{id}),
        'acknowledged inProgress assessingCancellation inProgress completed',
        'state by state');
    is(states_told($listener, $task->{id}), 'acknowledged inProgress done',
        'and of the task');
    is_error(cancel($order->{id}), 409, 'what is completed',
        '/serviceOrder/id');

    # one of two is completed: not to be undone either
    line_rule(status => 503);
    $order = ordered($t, internet('net'), voip('line'));
    $t->wait_for(WAIT,
        sub { item_states(order($t, $order->{id})) =~ /net=completed/ },
        'one is completed');
    $task = cancelling($order->{id});
    is(task($task->{id})->{completionMessage},
        'Denied: item "net" is completed', 'the other goes on');
    is(order($t, $order->{id})->{state}, 'inProgress', 'as before');
    $t->sim('DELETE', '/_rules');
};

subtest 'an undo that fails' => sub {
    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { never => $true } });
    rule($t, target => 'bng', method => 'DELETE', action => { status => 500 });
    my $order   = ordered($t, internet('1'));
    my $service = service_of($order);
    in_state($t, $order->{id}, 'pendingExternal');
    my $task = cancelling($order->{id});
    my $done = ends($t, $order->{id}, 'failed');
    is(errors($done->{serviceOrderItem}[0]) =~ s/ .*//r,
        'undoIncomplete', 'is not hidden');
    is(errors($done) =~ s/ .*//r, 'undoIncomplete', 'nor in the order');
    ok(!$done->{cancellationDate}, 'it is not cancelled');
    is(counts_of($t, "/vendor/orders/$service"), 'DELETE=1/1',
        'the others are undone');
    my $is = task($task->{id});
    is($is->{state}, 'terminatedWithError', 'the task says so');
    is($is->{errorMessage}{code}, 'cancellationIncomplete', 'with an error');
    ok(!$is->{effectiveCancellationDate}, 'and without a date');
    $t->wait_for(WAIT,
        sub { states_told($listener, $task->{id}) =~ /terminated/ }, 'told');
    is(states_told($listener, $task->{id}),
        'acknowledged inProgress terminatedWithError', 'state by state');
    $t->sim('DELETE', '/_rules');
};

# One item fails and is being undone when the order is cancelled.
subtest 'beside a failure' => sub {
    rule($t, target => 'vendor', method => 'POST', times => 1,
        action => { async => { never => $true } });
    line_rule(status => 409);
    rule($t, target => 'sbc', method => 'DELETE', times => 1,
        action => { delayMs => 1500 });
    my $order = ordered($t, internet('net'), voip('line'));
    my $line  = service_of($order, 'line');
    called("/sbc/subscriber/$line", 'DELETE=1/1 PUT=1/1');
    my $task = cancelling($order->{id});
    my $done = ends($t, $order->{id}, 'failed');
    is(item_states($done), 'net=cancelled line=failed', 'each as it is');
    is(task($task->{id})->{state}, 'terminatedWithError',
        'it could not be cancelled as a whole');
    is_clean(service_of($order, $_)) for qw(net line);
    $t->sim('DELETE', '/_rules');
};

# With a call under way, and while a vendor is waited for.
subtest 'kill -9 of the family right after the POST' => sub {
    my @kills = (
        [ 'inProgress', target => 'bng', method => 'PUT',
            action => { hang => $true, afterApply => $true } ],
        [ 'inProgress pendingExternal', target => 'vendor', method => 'POST',
            action => { async => { never => $true } } ],
    );
    for (@kills) {
        my ($told, %rule) = @$_;
        rule($t, times => 1, %rule);
        my $order   = ordered($t, internet('1'));
        my $service = service_of($order);
        called("/bng/subscriber/$service", 'PUT=1/1');
        in_state($t, $order->{id}, $told =~ s/.* //r);
        my @pids = $t->freeze('family:internet-access');
        my $task = cancelling($order->{id});
        $t->kill9($_) for @pids;
        is_cancelled($order->{id}, $task->{id}, $told,
            'whoever comes next undoes it');
        like(counts_of($t, "/bng/subscriber/$service"),
            qr{^DELETE=\d/1 PUT=1/1$}, 'once');
        is_clean($service);
    }
};

# Between reading and writing the order moves on: it is judged anew.
subtest 'overtaken' => sub {
    line_rule(status => 503);
    my $order = ordered($t, voip('1'));
    my $line  = service_of($order);
    $t->wait_for(WAIT, sub { counts_of($t, "/sbc/subscriber/$line") },
        'it runs');
    my $row = "activation where order_id = '$order->{id}'";
    open my $psql, '|-', 'psql', '-AtXq', '-v', 'ON_ERROR_STOP=1', '-h',
        $t->sockets, '-U', 'turnup', '-d', 'turnup', '-o', '/dev/null'
        or die "psql: $!\n";
    $psql->autoflush;
    print {$psql} "BEGIN; SET application_name = 'first';"
        . " SELECT 1 FROM $row FOR UPDATE;\n";
    $t->wait_for(WAIT, sub {
        $t->sql(q{select count(*) from pg_stat_activity
            where application_name = 'first'
            and state = 'idle in transaction'}) > 0;
    }, 'one is there before');
    my $client = fork // die "fork: $!\n";
    if (!$client) {
        my $reply = cancel($order->{id});
        require POSIX;
        POSIX::_exit($reply->{status} == 201 ? 0 : 1);
    }
    $t->wait_for(WAIT, sub {
        $t->sql(q{select count(*) from pg_stat_activity
            where wait_event_type = 'Lock'}) > 0;
    }, 'the cancellation has read and waits');
    print {$psql} "UPDATE activation SET committed = true, seq = seq + 1"
        . " WHERE order_id = '$order->{id}'; COMMIT;\n";
    ok(close($psql), 'the first one is through');
    waitpid $client, 0;
    is($?, 0, 'is answered');
    is($t->sql('select state, message from cancel_service_order where'
                . " order_id = '$order->{id}'"),
        'done|Denied: item "1" is past its point of no return',
        'by what is now');
    $t->sim('DELETE', '/_rules');
};

subtest 'the same request again' => sub {
    my $id = post_order($t, [ internet('1') ], requestedStartDate => $later)
        ->{json}{id};
    my @same    = ($id, headers => { 'Idempotency-Key' => 'cancel-1' });
    my $task    = cancelling(@same);
    ends($t, $id, 'cancelled');
    my $again = cancel(@same);
    is($again->{status}, 201, 'is not refused');
    is_deeply($again->{json}, task($task->{id}), 'but shows what it has made');
    is($again->{headers}{location}, $task->{href}, 'Location');
    is($t->sql('select count(*) from cancel_service_order where order_id ='
                . " '$id'"), 1, 'once');
    is_error(cancel(@same, cancellationReason => 'x'), 409, 'another body');
    is($t->delete(ORDERS . "/$id")->{status}, 204, 'the order is deleted');
    is_error($t->get(CANCELS . "/$task->{id}"), 404, 'with its tasks');
    is_error(cancel(@same), 409, 'what was made is gone');
};

subtest 'what is wrong' => sub {
    my $tasks = 'select count(*) from cancel_service_order';
    my $count = $t->sql($tasks);
    my $id = post_order($t, [ internet('1') ], requestedStartDate => $later)
        ->{json}{id};
    my $unknown = '01a20133-08d7-72b5-b605-8252fc014c6f';
    for (
        [ $unknown,      '/serviceOrder/id', 'an unknown order' ],
        [ 'none',        '/serviceOrder/id', 'no id of an order' ],
        [ "$id' or '1",  '/serviceOrder/id', 'more than an id' ],
        [ 17,            '/serviceOrder/id', 'a number' ],
        [ undef,         '/serviceOrder/id', 'null' ],
        [ [$id],         '/serviceOrder/id', 'a list' ],
        )
    {
        my ($order, $pointer, $name) = @$_;
        is_error(cancel($order), 400, $name, $pointer);
    }
    is_error($t->post(CANCELS, {}), 400, 'no order', '/serviceOrder');
    is_error($t->post(CANCELS, { serviceOrder => {} }),
        400, 'no id', '/serviceOrder/id');
    is_error($t->post(CANCELS, { serviceOrder => $id }),
        400, 'no object', '/serviceOrder');
    is_error(cancel($id, requestedCancellationDate => 'tomorrow'),
        400, 'no time', '/requestedCancellationDate');
    is_error(cancel($id, cancellationReason => 1),
        400, 'no text', '/cancellationReason');
    is_error($t->post(CANCELS, '{"serviceOrder":{"id":"' . $id . '"}'),
        400, 'half a body');
    is_error($t->post(CANCELS . "/$id", {}), 405, 'POST on a task');
    is_error($t->patch(CANCELS . "/$id", {}), 405, 'PATCH');
    is_error($t->delete(CANCELS . "/$id"), 405, 'DELETE');
    is_error($t->get(CANCELS . "/$_"), 404, "GET $_")
        for $unknown, $id, 'none', '%27--';
    is($t->sql($tasks), $count, 'nothing is stored');
    is(order($t, $id)->{state}, 'acknowledged', 'nothing is cancelled');

    # what the server sets is not taken from a client
    my $task = cancelling($id, id => $unknown, state => 'done',
        effectiveCancellationDate => $later, completionMessage => 'x',
        errorMessage => { code => '1' });
    isnt($task->{id}, $unknown, 'id is ours');
    is($task->{state}, 'acknowledged', 'and so is the state');
    ends($t, $id, 'cancelled');
    my $done = task($task->{id});
    is_deeply([ @$done{qw(state completionMessage errorMessage)} ],
        [ 'done', 'The service order ended cancelled', undef ], 'all of it');
    isnt($done->{effectiveCancellationDate}, $later, 'and the date');
};

subtest 'read and found' => sub {
    my @id = map {
        post_order($t, [ internet('1') ], requestedStartDate => $later)
            ->{json}{id}
    } 1 .. 3;
    my @task = map { cancelling($id[$_], cancellationReason => "because $_",
        requestedCancellationDate => "2030-01-0${\(3 - $_)}T00:00:00Z")->{id}
    } 0 .. 2;
    ends($t, $_, 'cancelled') for @id;
    my $ids = sub {
        my ($path, $query) = @_;
        my $reply = $t->get("$path?$query");
        return join ' ', $reply->{status}, map { $_->{id} }
            @{ $reply->{json} };
    };
    my $mine = join ',', @task;
    is($ids->(CANCELS, "serviceOrder.id=$id[1]"), "200 $task[1]", 'by order');
    is($ids->(CANCELS, 'cancellationReason=because%202'),
        "200 $task[2]", 'by reason');
    is($ids->(CANCELS, "id=$mine&sort=requestedCancellationDate"),
        "200 @task[2, 1, 0]", 'sorted by date');
    is($ids->(CANCELS, "id=$mine&sort=-requestedCancellationDate&limit=2"),
        "206 @task[0, 1]", 'a page');
    is($ids->(CANCELS, "id=$mine&state=done&sort=id"), "200 @task", 'state');
    is($ids->(CANCELS, "id=$mine&state=inProgress"), '200', 'none of those');
    is($ids->(CANCELS,
            "id=$mine&effectiveCancellationDate.gt=2099-01-01T00:00:00Z"),
        '200', 'by the end');
    is($t->get(CANCELS . "?id=$mine")->{headers}{'x-total-count'}, 3, 'count');
    is_error($t->get(CANCELS . '?sort=x-ours'), 400, 'no order on that');
    is_deeply($t->get(CANCELS . "?id=$task[0]&fields=state")->{json},
        [ { id => $task[0], href => $t->url . CANCELS . "/$task[0]",
            state => 'done' } ], 'fields');
    my $reply = $t->get(CANCELS . "/$task[0]");
    is_deeply($reply->{json}, $t->get(CANCELS . "?id=$task[0]")->{json}[0],
        'by id as in the list');
    is($t->get(CANCELS . "/$task[0]",
            { 'If-None-Match' => $reply->{headers}{etag} })->{status},
        304, 'with an ETag');

    # orders by what cancelled them
    is($ids->(ORDERS, 'cancellationReason=because%201'), "200 $id[1]",
        'an order by its reason');
    my $at = order($t, $id[0])->{cancellationDate};
    like($ids->(ORDERS, "cancellationDate=$at"), qr/\Q$id[0]\E/,
        'and by its date');
    unlike($ids->(ORDERS, "completionDate=$at"), qr/\Q$id[0]\E/,
        'which is not that of a completion');
};

$t->stop;
done_testing;
