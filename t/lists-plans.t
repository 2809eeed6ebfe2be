# Lists over many rows: what clients filter by goes by an index, whatever is
# asked for touches a bounded number of rows, what does not is ended in time
# and says why. The plans are those of the pool's own statements: PostgreSQL
# logs them (auto_explain).
use v5.32;
use strict;
use warnings;
use JSON::PP;
use POSIX ();
use Test::More;
use Api;
use Turnup;

use constant {
    ORDERS_MADE   => 120_000,
    SERVICES_MADE => 20_000,
    COUNTED       => 100_000,    # FILTER_COUNT_MAX
};

my $t = Turnup->start(families => quick_families());

# Order n: its id, and when it was ordered.
my $id = q{(lpad(to_hex(1800000000000 + n), 12, '0') || '70008000'
    || lpad(to_hex(n), 12, '0'))::uuid};
my $at = q{'2030-01-01T00:00:00Z'::timestamptz + n * interval '1 s'};
my $made = ORDERS_MADE;
$t->sql(<<"SQL");
INSERT INTO service_order (id, request_key, external_id, category, priority,
    order_date, requested_completion, parties, doc)
SELECT $id, 'key-' || n, 'SO-' || n,
    CASE WHEN n % 10000 = 0 THEN 'rare' ELSE 'c' || n % 5 END, '1', $at,
    CASE WHEN n % 3 = 0 THEN $at + interval '1 day' END,
    ARRAY['customer-' || n % 10000, 'everybody'],
    json_build_object('externalId', 'SO-' || n, 'description',
        repeat('x', 500) || n, 'serviceOrderItem', json_build_array(
        json_build_object('id', '1', 'action', 'add',
            'service', json_build_object('name', 'Line ' || n))))
FROM generate_series(1, $made) AS g(n);
INSERT INTO service_order_state (id, state, item_count, start_at,
    completion_at)
SELECT $id, s, 1, $at, CASE WHEN s <> 'inProgress' AND s <> 'held'
    THEN $at + interval '1 h' END
FROM (SELECT n, CASE WHEN n % 1000 = 1 THEN 'inProgress'
    WHEN n % 1000 = 2 THEN 'held' WHEN n % 100 = 3 THEN 'failed'
    ELSE 'completed' END AS s FROM generate_series(1, $made) AS g(n)) AS x;
INSERT INTO service_order_item (order_id, item_id, position, action, state)
SELECT $id, '1', 0, 'add', 'completed'
FROM generate_series(1, $made) AS g(n);
SQL
$made = SERVICES_MADE;
$t->sql(<<"SQL");
INSERT INTO entity_instance (id) SELECT $id
FROM generate_series(1, $made) AS g(n);
INSERT INTO entity_instance_configuration (id, instance_id, timeline, name,
    parties, spec_id, spec_version, state, characteristics, order_id, item_id)
SELECT $id, $id, 'CURRENT', 'Line ' || n, ARRAY['customer-' || n % 1000],
    CASE WHEN n % 1000 = 0 THEN 'Rare' ELSE 'Spec.' || n % 3 END, '1',
    CASE WHEN n % 1000 = 1 THEN 'terminated' WHEN n % 1000 = 2 THEN 'reserved'
    WHEN n % 1000 = 3 THEN 'inactive' ELSE 'active' END, '{}', $id, '1'
FROM generate_series(1, $made) AS g(n);
SQL
$t->sql('VACUUM ANALYZE');

# Plans of all that a session begun from now on sends go to the log.
my %explain = (
    'session_preload_libraries'     => 'auto_explain',
    'auto_explain.log_min_duration' => 0,
    'auto_explain.log_analyze'      => 'on',
    'auto_explain.log_timing'       => 'off',
    'auto_explain.log_format'       => 'json',
);
$t->sql("LOAD 'auto_explain'; ALTER ROLE turnup SET $_ = '$explain{$_}'")
    for sort keys %explain;
$t->down;
$t->up(
    conf  => { 'turnup.list_timeout' => 20_000 },
    nginx => 'tmf_timeout 25s;'
);

my $read = 0;

# The plan of the next list in the log, once it is there whole.
sub next_plan {
    open my $log, '<', $t->home . '/log/postgres.log' or die "log: $!\n";
    seek $log, $read, 0;
    my $text = do { local $/ = undef; <$log> };
    while ($text =~ /^\S[^\n]* duration: [^\n]*? plan:\n((?:\t[^\n]*\n)+)/gm) {
        my ($plan, $end) = ($1, pos $text);
        next if $plan !~ /"Query Text": "WITH page /;
        my $whole = eval { decode_json($plan) } or return;
        $read += $end;
        return $whole->{Plan};
    }
    return;
}

# The answer, and the plan of the statement that gave it.
sub list {
    my ($path, $query) = @_;
    my $reply = $t->get("$path?$query");
    my $plan  = $t->wait_for(WAIT, \&next_plan, "plan of $query");
    return ($reply, $plan);
}

# Every node below one, itself included.
sub nodes {
    my ($node) = @_;
    return ($node, map { nodes($_) } @{ $node->{Plans} // [] });
}

# Rows that were read, from tables and indexes.
sub touched {
    my ($plan) = @_;
    my $sum = 0;
    for my $node (grep { $_->{'Node Type'} =~ /(?:Seq|Index|Index Only|Heap) Scan/ }
        nodes($plan)) {
        my $rows = $node->{'Actual Rows'};
        $rows += $node->{$_} // 0
            for 'Rows Removed by Filter', 'Rows Removed by Index Recheck';
        $sum += $rows * $node->{'Actual Loops'};
    }
    return $sum;
}

sub show {
    my ($plan) = @_;
    return join "\n", map {
        join ' ', map { $_ // '-' } @$_{ 'Node Type', 'Index Name',
            'Relation Name', 'Actual Rows', 'Actual Loops',
            'Rows Removed by Filter' }
    } nodes($plan);
}

# By an index alone, reading so many rows at most; the total.
sub goes_by_index {
    my ($path, $query, $most, $total) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($reply, $plan) = list($path, $query);
    is($reply->{headers}{'x-total-count'}, $total, "$query: so many match")
        or diag("$reply->{status} " . substr $reply->{content}, 0, 500);
    is(join(' ', map { $_->{'Relation Name'} }
            grep { $_->{'Node Type'} =~ /Seq Scan/ && $_->{'Actual Loops'} }
            nodes($plan)), '', 'no table is read through')
        or diag(show($plan));
    my $rows = touched($plan);
    ok($rows <= $most, "reads at most $most rows")
        or diag("$rows rows\n", show($plan));
    return $reply;
}

my $day = 'orderDate.gte=2030-01-01T05:00:00Z'
    . '&orderDate.lt=2030-01-01T05:10:00Z';

subtest 'orders' => sub {
    # query, rows read at most (twice where they are counted), total
    my @cases = (
        [ 'externalId=SO-777',                  4,     1 ],
        [ 'externalId=SO-777&state=completed',  4,     1 ],
        [ 'externalId=none',                    4,     0 ],
        [ 'externalId=SO-777,SO-778',           8,     2 ],
        [ 'externalId.gte=SO-777&externalId.lt=SO-778&limit=10', 2500, 111 ],
        [ 'state=failed&limit=10',              2500,  1200 ],
        [ 'state=failed&limit=10&offset=500',   4000,  1200 ],
        [ 'state=failed&limit=10&sort=-id',     2500,  1200 ],
        [ 'state=failed,held&limit=10',         6000,  1320 ],
        [ 'state=partial',                      4,     0 ],
        [ 'state=inProgress&limit=10',          600,   120 ],
        [ 'state=held',                         600,   120 ],
        [ 'state=held&sort=-orderDate',         1000,  120 ],
        [ 'state=assessingCancellation',        600,   0 ],
        [ 'relatedParty.id=customer-77&limit=5', 80,   12 ],
        [ 'relatedParty.id=customer-77,customer-78', 100, 24 ],
        [ 'relatedParty.id=nobody',             4,     0 ],
        [ 'relatedParty.id=customer-77&state=completed', 60, 12 ],
        [ 'category=rare&limit=10',             60,    12 ],
        [ $day,                                 1300,  600 ],
        [ "$day&sort=-orderDate&limit=10",      1300,  600 ],
        [ "$day&sort=-orderDate&limit=10&offset=100", 1800, 600 ],
        [ "$day&state=failed",                  2500,  6 ],
        [ $day =~ s/orderDate/completionDate/gr =~ s/T05/T06/gr, 1300, 598 ],
        [ $day =~ s/orderDate/requestedCompletionDate/gr
                =~ s/01-01T/01-02T/gr . '&limit=10', 1300, 200 ],
        [ 'id=' . $t->sql("select $id from (values (77)) as g(n)"), 4, 1 ],
    );
    goes_by_index(ORDERS, @$_) for @cases;
};

subtest 'everything, a page at a time' => sub {
    my $last = ORDERS_MADE;
    my %first = (
        'sort=id'         => 'SO-1',
        'sort=-id'        => "SO-$last",
        'sort=orderDate'  => 'SO-1',
        'sort=-orderDate' => "SO-$last",
        'offset=200'      => 'SO-201',
        'category.ne=rare'            => 'SO-1',
        'state=completed'             => 'SO-4',
        'relatedParty.id=everybody'   => 'SO-1',
        'state=completed&relatedParty.id=everybody' => 'SO-4',
        'orderDate.gt=2001-01-01T00:00:00Z&sort=-orderDate' => "SO-$last",
    );
    for my $query (sort keys %first) {
        my ($reply, $plan) = list(ORDERS, "$query&limit=10&fields=externalId");
        is($reply->{status}, 206, $query) or diag($reply->{content});
        is($reply->{json}[0]{externalId}, $first{$query}, 'is in order');
        my ($page) = grep { ($_->{'Subplan Name'} // '') eq 'CTE page' }
            nodes($plan);
        ok(touched($page) <= 500, 'the page is cut by an index')
            or diag(show($page));
        ok(touched($plan) <= 3 * COUNTED + 1000, 'and counting has an end')
            or diag(show($plan));
        is($reply->{headers}{'x-total-count'}, undef, 'beyond it is no count');
        like($reply->{headers}{'content-range'}, qr{^items \d+-\d+/\*$},
            'and the range says so');
        like($reply->{headers}{link},   qr/rel="next"/, 'it goes on');
        unlike($reply->{headers}{link}, qr/rel="last"/, 'nobody knows how far');
    }
    my ($reply) = list(ORDERS, 'offset=119990&limit=20');
    is("$reply->{headers}{'x-total-count'} $reply->{headers}{'content-range'}",
        "$last items 119991-$last/$last", 'the last page knows');
};

subtest 'services' => sub {
    my @cases = (
        [ 'name=Line%2077',                       6,    1 ],
        [ 'name.gte=Line%2077&name.lt=Line%2078', 400,  111 ],
        [ 'serviceSpecification.id=Rare&limit=5', 100,  20 ],
        [ 'relatedParty.id=customer-7&limit=5',   100,  20 ],
        [ 'serviceOrderItem.serviceOrderId='
                . $t->sql("select $id from (values (77)) as g(n)"), 6, 1 ],
        [ 'externalIdentifier.id=SVC-1077',       6,    1 ],
    );
    goes_by_index(SERVICES, @$_) for @cases;
};

# Steps leave state's index alone; the end of an order does not.
subtest 'updates stay HOT' => sub {
    my $hot = sub {
        my ($table, $change, $where) = @_;
        my @lines = $t->sql("begin; update $table set $change where $where;"
                . " select pg_stat_get_xact_tuples_updated('$table'::regclass),"
                . " pg_stat_get_xact_tuples_hot_updated('$table'::regclass);"
                . ' rollback');
        return $lines[-1];
    };
    my $one = $t->sql("select $id from (values (2001)) as g(n)");
    $t->sql('vacuum full service_order_state;');
    $t->sql('vacuum full entity_instance_configuration;');
    is($hot->('service_order_state', q{state = 'pendingExternal', version = 2},
            "id = '$one'"), '1|1', 'of an order that goes on');
    is($hot->('service_order_state', q{state = 'completed', version = 2},
            "id = '$one'"), '1|0', 'but for its last');
    $one = $t->sql("select $id from (values (1002)) as g(n)");
    is($hot->('entity_instance_configuration', q{state = 'inactive'},
            "instance_id = '$one'"), '1|1', 'of a service');
};

my $slow = 'description.regex=' . 'y(1|2)$';

subtest 'what takes too long is refused' => sub {
    $t->sql('ALTER ROLE turnup RESET ALL');
    $t->down;
    $t->up(conf => { 'turnup.list_timeout' => 100 });
    for my $query ($slow, "state=completed&$slow", 'description=y',
        "$slow;externalId=x") {
        my $e = is_error($t->get(ORDERS . "?$query"), 400, $query);
        is($e->{code}, '28', 'as a query');
        like($e->{message}, qr/\bby description\b/, 'what makes it slow') 
            if $query !~ /;/;
        like($e->{message}, qr/\bdescription, externalId\b/, 'one or the other')
            if $query =~ /;/;
        like($e->{message}, qr/\bexternalId\b/, 'what would help');
    }
    my $e = is_error($t->get(ORDERS . "?sort=priority&$slow"), 400, 'a sort');
    like($e->{message}, qr/\bby description, priority\b/, 'is named as well');
    $t->wait_for(WAIT, sub {
        my $reply = $t->get(ORDERS . '?externalId=SO-5&' . $slow);
        return $reply->{status} == 200 && $reply->{content} eq '[]';
    }, 'beside what is found by an index it is not');
    is($t->get('/health')->{status}, 200, 'nothing is the worse for it');
};

# A list that waits holds up nobody but lists.
subtest 'others go on' => sub {
    $t->down;
    $t->up(conf => { 'turnup.list_timeout' => 8000 });
    open my $session, '|-', 'psql', '-qX', '-h', $t->sockets, '-U', 'turnup',
        'turnup' or die "psql: $!\n";
    $session->autoflush(1);
    print $session "begin; lock entity_instance in access exclusive mode;\n";
    my $locks = q{select count(*) from pg_locks where relation =
        'entity_instance'::regclass and mode = 'AccessExclusiveLock'};
    $t->wait_for(WAIT, sub { $t->sql("$locks and granted") }, 'it is locked');
    my $child = fork // die "fork: $!\n";
    if (!$child) {
        my $reply = $t->get(SERVICES . '?limit=1');
        POSIX::_exit($reply->{status} == 400
                && $reply->{content} =~ /smaller offset/ ? 0 : 1);
    }
    my $waits = q{select count(*) from pg_locks where not granted and
        relation = 'entity_instance'::regclass};
    $t->wait_for(WAIT, sub { $t->sql($waits) }, 'a list waits');
    my $reply = post_order($t, [
        item('1', 'add', { serviceSpecification => { id => 'No' } }) ]);
    is($reply->{status}, 201, 'an order is taken');
    is($t->get(ORDERS . "/$reply->{json}{id}")->{status}, 200, 'and read');
    ok($t->sql($waits), 'while the list is waiting');
    waitpid $child, 0;
    is($?, 0, 'which ends with 400');
    print $session "rollback;\n";
    close $session;
    $t->wait_for(WAIT, sub { $t->get(SERVICES . '?limit=1')->{status} == 206 },
        'lists go on');
};

$t->stop;
done_testing;
