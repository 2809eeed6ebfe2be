# Lists: fields, pages, filters, their order; what is no filter; and that
# nothing a client writes into a query is taken for more than a value.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

use constant MANY => 25;

my $t = Turnup->start(families => quick_families());

sub escaped {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}

# A list: { status, total, count, ids => [...], json, content }.
sub list {
    my ($path, $query) = @_;
    my $reply = $t->get($path . (defined $query ? "?$query" : ''));
    return {
        %$reply,
        total => $reply->{headers}{'x-total-count'},
        count => $reply->{headers}{'x-result-count'},
        ids   => ref $reply->{json} eq 'ARRAY'
        ? [ map { $_->{id} } @{ $reply->{json} } ]
        : undef,
    };
}

# These orders and no others, all on one page.
sub finds {
    my ($query, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = list(ORDERS, $query);
    $name //= $query;
    is($got->{status}, 200, $name) or diag($got->{content});
    is_deeply([ sort @{ $got->{ids} // [] } ], [ sort @$want ], 'finds them')
        or diag("$query: $got->{content}");
    is($got->{total}, @$want, 'and counts them');
}

subtest 'nothing yet' => sub {
    for my $path (ORDERS, SERVICES) {
        my $empty = list($path);
        is($empty->{status},  200,  'an empty list is one');
        is($empty->{content}, '[]', 'as JSON');
        is($empty->{total},   0,    'X-Total-Count');
        is($empty->{count},   0,    'X-Result-Count');
        is(list($path, 'limit=5&offset=3')->{content}, '[]', 'a page of it');
    }
};

# Orders of several kinds, ended.
my %id;
sub add {
    my ($name, $items, %rest) = @_;
    my $reply = post_order($t, $items, externalId => $name, %rest);
    $reply->{status} == 201 or die "$name: $reply->{content}\n";
    return $id{$name} = $reply->{json}{id};
}
add('net', [ internet('1'), voip('2') ],
    category     => 'a, b',
    priority     => '1',
    'x-flag'     => JSON::PP::true,
    'x-number'   => 17,
    'x-text'     => '17',
    description  => 'say "hi"',
    note         => [ { text => 'first note' }, { text => 'second, note' } ],
    relatedParty => [
        { id => 'p-1', '@referredType' => 'Individual', role => 'user' },
        { id => 'p-2', '@referredType' => 'Individual', role => 'payer' },
    ],
    requestedCompletionDate => '2031-02-03T05:05:06.789+01:00',
);
add('line', [ voip('L') ],
    category     => 'b',
    priority     => '4',
    'x-flag'     => JSON::PP::false,
    'x-number'   => 17.5,
    'x-null'     => undef,
    'x-deep'     => { a => [ { b => 'found' }, { b => 'too' } ] },
    'x.dotted'   => 'never',
    'x-mixed'    => [ 'NaN', 'zero', undef, JSON::PP::true, {}, [], '', 6 ],
    note         => [ { text => q{it's; drop--} } ],
    relatedParty => [ { id => 'p-1', '@referredType' => 'Organization' } ],
);
add('bad', [ item('B', 'add', { serviceSpecification => { id => 'No' } }) ],
    category => "\x{17e}lu\x{165}");
add('percent', [ voip('%') ], category => '100%_\\', priority => '1');
ends($t, $id{$_}, 'completed') for qw(net line percent);
ends($t, $id{bad}, 'rejected');
my @all = values %id;

subtest 'filters' => sub {
    finds(undef, \@all, 'no filter');
    finds('', \@all, 'an empty query');
    finds("id=$id{net}",             [ $id{net} ]);
    finds("id=$id{net},$id{line}",   [ @id{qw(net line)} ]);
    finds("id=$id{net}&id=$id{bad}", [ @id{qw(net bad)} ]);
    finds('id=no-uuid',              []);
    finds('externalId=line',         [ $id{line} ]);
    finds('externalId.eq=line',      [ $id{line} ]);
    finds('externalId=Line',         []);
    finds('externalId=lin',          []);
    finds('externalId=',             []);
    finds('state=completed',         [ @id{qw(net line percent)} ]);
    finds('state=rejected',          [ $id{bad} ]);
    finds('state=completed,rejected', \@all);
    finds('state=running',           []);
    finds('state=completed&priority=1', [ @id{qw(net percent)} ], 'and');
    finds('priority=1&category=b',   []);
    finds('category=a%2C%20b',       [ $id{net} ], 'a comma, encoded');
    finds('category=%22a%2C%20b%22', [ $id{net} ], 'quoted');
    finds('category=%22b%22',        [ $id{line} ]);
    finds('category=a,b',            [ $id{line} ], 'a comma that separates');
    finds('category=' . escaped("\x{17e}lu\x{165}"), [ $id{bad} ], 'UTF-8');
    finds('category=' . escaped('100%_\\'), [ $id{percent} ], '% and _');
    finds('category=' . escaped('100%'), [], 'are no patterns');
    finds('category=' . escaped('%'),    [], 'nor alone');
    finds('description=' . escaped('say "hi"'), [ $id{net} ], 'quotes inside');

    finds('serviceOrderItem.state=completed', [ @id{qw(net line percent)} ]);
    finds('serviceOrderItem.state=rejected',  [ $id{bad} ]);
    finds('serviceOrderItem.id=2',            [ $id{net} ]);
    finds('serviceOrderItem.action=add',      \@all);
    finds('serviceOrderItem.action=delete',   []);
    my $service = order($t, $id{line})->{serviceOrderItem}[0]{service}{id};
    finds("serviceOrderItem.service.id=$service", [ $id{line} ]);
    finds('serviceOrderItem.service.id=x',        []);
    my $spec = 'serviceOrderItem.service.serviceSpecification.id';
    finds("$spec=Internet.Service",           [ $id{net} ]);
    finds("$spec=Voip.Line",                  [ @id{qw(net line percent)} ]);
    finds("$spec=Voip.Line,No",               \@all);
    finds('serviceOrderItem.service.name=Line%202', [ $id{net} ]);
    finds('relatedParty.id=p-1',              [ @id{qw(net line)} ]);
    finds('relatedParty.id=p-2',              [ $id{net} ]);
    finds('relatedParty.role=payer',          [ $id{net} ]);
    finds('relatedParty.@referredType=Organization', [ $id{line} ]);
    finds('note.text=second%2C%20note',       [ $id{net} ]);
    finds('note.text=first+note',             [ $id{net} ], 'a plus');
    finds('note.text=' . escaped(q{it's; drop--}), [ $id{line} ], 'quote');
    finds('x-deep.a.b=too',                   [ $id{line} ], 'lists in lists');
    finds('x-deep.a=too',                     []);
    finds('x-flag=true',                      [ $id{net} ],  'true');
    finds('x-flag=false',                     [ $id{line} ], 'false');
    finds('x-number=17',                      [ $id{net} ],  'a number');
    finds('x-number=17.0',                    [ $id{net} ],  'as a number');
    finds('x-number=17.5',                    [ $id{line} ]);
    finds('x-text=17',                        [ $id{net} ],  'a text');
    finds('x-text=17.0',                      [], 'is no number');
    finds('x-null=null',                      [ $id{line} ], 'null');
    finds('nothing=1',                        [], 'an unknown attribute');
    finds('serviceOrderItem.nothing=1',       [], 'an unknown one inside');
    finds('id.nothing=1',                     [], 'below a text');
    finds('state.x=completed',                []);
};

subtest 'operators' => sub {
    my $service = 'serviceOrderItem.service';
    my @rated   = @id{qw(net line percent)};    # those with a priority
    for my $form (qw(.gt= %3E >)) {
        finds("priority${form}1",     [ $id{line} ]);
        finds("externalId${form}line", [ @id{qw(net percent)} ]);
        finds("externalId${form}n",   [ @id{qw(net percent)} ]);
        finds("x-number${form}17",    [ $id{line} ]);
        finds("x-number${form}9",     [ @id{qw(net line)} ], 'as numbers');
        finds("note.text${form}j",    [ $id{net} ], 'any element');
    }
    for my $form (qw(.gte= %3E%3D >= %3E=)) {
        finds("priority${form}1",     \@rated);
        finds("externalId${form}line", [ @id{qw(line net percent)} ]);
        finds("x-number${form}17",    [ @id{qw(net line)} ]);
        finds("note.text${form}it",   [ @id{qw(net line)} ], 'any element');
    }
    for my $form (qw(.lt= %3C <)) {
        finds("priority${form}4",     [ @id{qw(net percent)} ]);
        finds("externalId${form}line", [ $id{bad} ]);
        finds("x-number${form}17.5",  [ $id{net} ]);
        finds("x-deep.a.b${form}too", [ $id{line} ]);
        finds("x-deep.a.b${form}found", []);
    }
    for my $form (qw(.lte= %3C%3D <=)) {
        finds("priority${form}1",     [ @id{qw(net percent)} ]);
        finds("externalId${form}line", [ @id{qw(bad line)} ]);
        finds("x-number${form}17.5",  [ @id{qw(net line)} ]);
    }
    for my $form (qw(.eq= %3D%3D ==)) {
        finds("externalId${form}line", [ $id{line} ]);
        finds("state${form}rejected", [ $id{bad} ]);
    }
    finds('category.gt=%7E', [ $id{bad} ], 'by code point');
    finds('x-text.gt=2', [ $id{net} ], 'a text that spells a number');
    finds('x-text.gt=2x', [], 'but not beside a text');
    finds('x-mixed.gt=5', [ $id{line} ], 'numbers among other things');
    finds('x-mixed.gt=50', []);
    finds('x-mixed.gt=x', [ $id{line} ], 'texts among them');
    finds('category.gt=B', [ @id{qw(net line bad)} ], 'capitals before small');
    finds('externalId.gte=l&externalId.lt=p', [ @id{qw(line net)} ], 'between');
    finds('externalId.gt=line,bad', [ @id{qw(net line percent)} ], 'or');
    finds('externalId.gt=o&externalId.gt=zzz', [ $id{percent} ],
        'or, repeated');

    # .ne finds what equality does not.
    for my $query (
        'id=' . $id{net},               'id=x',
        'state=rejected',               'state=rejected,completed',
        'priority=1',                   'priority=1,4',
        'category=%7E',                 'x-flag=true',
        'x-number=17',                  'relatedParty.id=p-2',
        'serviceOrderItem.id=2',        'serviceOrderItem.state=completed',
        "$service.serviceSpecification.id=Voip.Line", 'nothing=1',
        )
    {
        my %found = map { $_ => 1 } @{ list(ORDERS, $query)->{ids} };
        finds($query =~ s/=/.ne=/r, [ grep { !$found{$_} } @all ]);
    }
    finds('priority.ne=1&priority.ne=4', [ $id{bad} ], 'none of several');

    # ";" is or, also between different things.
    finds("id=$id{bad};x-number=17",         [ @id{qw(net bad)} ]);
    finds('externalId=line;priority.gt=3;state=rejected,held',
        [ @id{qw(line bad)} ]);
    finds('relatedParty.id=p-2;x-null=null;note.text*=%5Efirst',
        [ @id{qw(net line)} ]);
    finds('state.ne=completed;relatedParty.id=p-2', [ @id{qw(net bad)} ]);
    finds('x=1;y=2;state=running',           []);

    finds('externalId=line;externalId=bad',  [ @id{qw(line bad)} ]);
    finds('externalId=line;bad',             [ @id{qw(line bad)} ]);
    finds('externalId=line;net,bad&state=completed', [ @id{qw(line net)} ]);
    finds('note.text=first+note;note.text=x', [ $id{net} ]);
    finds('priority.gt=3;priority%3E9',      [ $id{line} ]);
    finds('externalId=line%3Bbad',           [], 'unless it is data');
};

# %: a pattern, as it is sent; the orders that it finds by externalId.
subtest 'regular expressions' => sub {
    my %found = (
        'n'              => [qw(line net percent)],
        '^n'             => [qw(net)],
        't$'             => [qw(net percent)],
        '^.e'            => [qw(net percent)],
        '^(net|bad)$'    => [qw(net bad)],
        '^[a-l]+$'       => [qw(bad)],
        '^[^n]+$'        => [qw(bad)],
        '^\\w{3}$'       => [qw(net bad)],
        'p.*c.*t'        => [qw(percent)],
        '^(?:l|b)[ia]'   => [qw(line bad)],
        'N'              => [],
        '[[:upper:]]'    => [],
        '\\d'            => [],
        '^$'             => [],
        q{' or true --}  => [],
    );
    for my $pattern (sort keys %found) {
        for my $form (qw(.regex= *= %2A%3D =~ %3D%7E)) {
            finds('externalId' . $form . escaped($pattern),
                [ @id{ @{ $found{$pattern} } } ]);
        }
    }
    finds('externalId*=%5El,d$&state=completed', [ $id{line} ], 'and, or');
    finds('category*=' . escaped("^\x{17e}\\wu"), [ $id{bad} ],
        'letters beyond ASCII');
    finds('category=%7En', [], '"~", encoded, is data');
    finds('note.text*=second,it', [ @id{qw(net line)} ], 'in a list');
    finds('note.text*=' . escaped('^first note$'), [ $id{net} ],
        'an element alone');
    finds('relatedParty.id*=' . escaped('^p-2$'), [ $id{net} ],
        'what is found by an index else');
    finds('x-text*=7',   [ $id{net} ],             'texts');
    finds('x-number*=7', [ @id{qw(net line)} ],    'numbers');
    finds('x-number*=' . escaped('\\.5$'), [ $id{line} ], 'as they are spelt');
    finds('x-flag*=t',   [],                       'nothing else');
    finds('x-deep.a.b*=too', [ $id{line} ],        'below lists');
    finds('x-deep*=found', [],                     'no object');
    is(list(SERVICES, 'name*=' . escaped('^Inter'))->{total}, 1, 'services');
    is(list(SPECS, 'name*=Line,Access')->{total}, 1, 'specifications');
};

subtest 'times before and after' => sub {
    my %order = map { $_ => order($t, $id{$_}) } keys %id;
    for my $name (qw(orderDate completionDate)) {
        for my $pivot (keys %order) {
            my $at = $order{$pivot}{$name} // next;
            my %want;
            for my $other (grep { defined $order{$_}{$name} } keys %order) {
                my $way = $order{$other}{$name} cmp $at;
                push @{ $want{gt} },  $id{$other} if $way > 0;
                push @{ $want{gte} }, $id{$other} if $way >= 0;
                push @{ $want{lt} },  $id{$other} if $way < 0;
                push @{ $want{lte} }, $id{$other} if $way <= 0;
            }
            finds("$name.$_=$at", $want{$_} // [], "$name.$_ of $pivot")
                for qw(gt gte lt lte);
            finds("$name%3E%3D$at&$name%3C$at", [], 'in no time');
        }
    }
    my $due = 'requestedCompletionDate';    # of one order alone
    my $off = escaped('+01:00');
    finds("$due.gt=2031-02-03T04:05:06.788Z",      [ $id{net} ]);
    finds("$due.gt=2031-02-03T04:05:06.789Z",      []);
    finds("$due.gte=%222031-02-03T05:05:06.789$off%22", [ $id{net} ]);
    finds("$due.lt=2031-02-03T05:05:06.790$off",   [ $id{net} ]);
    finds("$due.lt=2031-02-03T04:05:06.7890001Z",  []);
    finds("$due.lt=2031-02-03T04:05:06.789001Z",   [ $id{net} ], 'finer');
    finds("$due.gt=2031-02-03T04:05:06.788999Z",   [ $id{net} ], 'finer');
    finds("$due.gte=2031-02-03T04:05:06.789001Z",  [], 'finer');
    finds("$due.ne=2031-02-03T04:05:06.789Z",
        [ @id{qw(line bad percent)} ], 'none is another');
    finds("$due.gt=0001-01-01T00:00:00Z",          [ $id{net} ]);
    finds("$due.lt=9999-12-31T23:59:59.999Z",      [ $id{net} ]);
    finds('orderDate.gt=2001-01-01T00:00:00Z&orderDate.lt='
            . '9999-01-01T00:00:00Z', \@all, 'in our time');
};

subtest 'dates, as they are emitted' => sub {
    my $line = order($t, $id{line});
    for my $name (qw(orderDate startDate completionDate)) {
        my $got = list(ORDERS, "$name=" . escaped($line->{$name}));
        ok((grep { $_ eq $id{line} } @{ $got->{ids} }), $name)
            or diag("$line->{$name}: $got->{content}");
        is(list(ORDERS, "$name=2001-01-01T00:00:00Z")->{content},
            '[]', 'and no other');
    }
    my $due = 'requestedCompletionDate';
    finds("$due=2031-02-03T04:05:06.789Z", [ $id{net} ], 'in UTC');
    finds("$due=" . escaped('2031-02-03T05:05:06.789+01:00'),
        [ $id{net} ], 'with an offset');
    finds("$due=2031-02-03", [], 'no date-time');
    finds("$due=" . escaped(q{2031'::timestamptz--}), [], 'nor that');
    my ($service) = @{ list(SERVICES)->{json} };
    is(list(SERVICES, 'serviceDate=' . escaped($service->{serviceDate})
                . "&id=$service->{id}")->{total}, 1, 'of a service');
};

subtest 'services and specifications' => sub {
    my $all = list(SERVICES);
    is($all->{total}, 4, 'all services');
    my ($net) = grep { $_->{serviceSpecification}{id} eq 'Internet.Service' }
        @{ $all->{json} };
    my $value = sub {
        my ($name) = @_;
        my ($found) = grep { $_->{name} eq $name }
            @{ $net->{serviceCharacteristic} };
        return escaped($found->{value});
    };
    my %one = (
        'serviceSpecification.id=Internet.Service' => 1,
        'serviceSpecification.id=Voip.Line'        => 3,
        'serviceSpecification.version=1.0'         => 4,
        'serviceSpecification.version=1'           => 0,
        'state=active'                             => 4,
        'state=terminated'                         => 0,
        'operatingStatus=running'                  => 4,
        'name=Internet%201'                        => 1,
        'isServiceEnabled=true'                    => 4,
        'isServiceEnabled=false'                   => 0,
        'externalIdentifier.id='
            . $net->{externalIdentifier}[0]{id}    => 1,
        'serviceOrderItem.serviceOrderId=' . $id{net} => 2,
        'serviceCharacteristic.name=accessPort'    => 1,
        'serviceCharacteristic.value=' . $value->('accessPort') => 1,
        'serviceCharacteristic.value.internetBandwidth=100'     => 1,
        'supportingResource.id=' . $value->('bngBinding')       => 1,
        'supportingResource.@referredType=CPE'     => 1,
        'nothing=1'                                => 0,
    );
    is(list(SERVICES, $_)->{total}, $one{$_}, $_) for sort keys %one;

    is(list(SPECS)->{total}, 2, 'all specifications');
    my %spec = (
        'id=Voip.Line'                      => 1,
        'name=VoIP%20Line'                  => 1,
        'version=1.0'                       => 2,
        'version=2.0'                       => 0,
        'lifecycleStatus=Active'            => 2,
        'isBundle=false'                    => 2,
        'isBundle=true'                     => 0,
        'specCharacteristic.name=codec'     => 1,
        'specCharacteristic.name=codec,project' => 2,
        'specCharacteristic.minCardinality=1'   => 1,
        'nothing=1'                         => 0,
    );
    is(list(SPECS, $_)->{total}, $spec{$_}, $_) for sort keys %spec;
    my %operators = (
        'name.gt=J'                             => 1,
        'name.lt=J'                             => 1,
        'id%3C%3DVoip.Line'                     => 2,
        'version.ne=1.0'                        => 0,
        'specCharacteristic.minCardinality.gt=0' => 1,
        'specCharacteristic.minCardinality.gt=1' => 0,
        'lifecycleStatus.ne=Active'             => 0,
        'lastUpdate.gt=2001-01-01T00:00:00Z'    => 2,
        'lastUpdate.lt=2001-01-01T00:00:00Z'    => 0,
    );
    is(list(SPECS, $_)->{total}, $operators{$_}, $_)
        for sort keys %operators;
    %operators = (
        'serviceSpecification.id.gt=J'          => 3,
        'serviceSpecification.id.ne=Voip.Line'  => 1,
        'state.ne=active'                       => 0,
        'startDate.gt=2001-01-01T00:00:00Z'     => 4,
        'serviceDate%3C2001-01-01T00:00:00Z'    => 0,
        'serviceCharacteristic.value.internetBandwidth.gt=20'  => 1,
        'serviceCharacteristic.value.internetBandwidth.gt=100' => 0,
        'endDate.ne=2001-01-01T00:00:00Z'       => 4,
    );
    is(list(SERVICES, $_)->{total}, $operators{$_}, $_)
        for sort keys %operators;
    my ($one) = @{ list(SPECS, 'id=Voip.Line')->{json} };
    is(list(SPECS, 'lastUpdate=' . escaped($one->{lastUpdate})
                . '&id=Voip.Line')->{total}, 1, 'lastUpdate');
};

subtest 'sort' => sub {
    my @by_id = sort @all;
    my %sorts = (
        'id'             => \@by_id,
        '-id'            => [ reverse @by_id ],
        'externalId'     => [ @id{qw(bad line net percent)} ],
        '+externalId'    => [ @id{qw(bad line net percent)} ],
        '%2BexternalId'  => [ @id{qw(bad line net percent)} ],
        '-externalId'    => [ @id{qw(percent net line bad)} ],
        'category'       => [ @id{qw(percent net line bad)} ],
        'state,externalId'   => [ @id{qw(line net percent bad)} ],
        '-state,-externalId' => [ @id{qw(bad percent net line)} ],
        'state,-externalId'  => [ @id{qw(percent net line bad)} ],
        'priority,-externalId'  => [ @id{qw(percent net line bad)} ],
        '-priority,externalId'  => [ @id{qw(line net percent bad)} ],
        'requestedCompletionDate,-externalId' =>
            [ @id{qw(net percent line bad)} ],
        '-requestedCompletionDate,externalId' =>
            [ @id{qw(net bad line percent)} ],
        'requestedStartDate,-id' => [ reverse @by_id ],
    );
    for my $sort (sort keys %sorts) {
        my $got = list(ORDERS, "sort=$sort");
        is($got->{status}, 200, "sort=$sort") or diag($got->{content});
        is_deeply($got->{ids}, $sorts{$sort}, 'in that order');
        is($got->{total}, @all, 'all of them');
    }
    for my $name (qw(orderDate startDate completionDate)) {
        for my $sign ('', '-') {
            my @given = grep { defined }
                map { $_->{$name} } @{ list(ORDERS, "sort=$sign$name")->{json} };
            my @want = sort @given;
            @want = reverse @want if $sign;
            is("@given", "@want", "sort=$sign$name");
        }
    }
    is_deeply(list(ORDERS, 'sort=-externalId&externalId.lt=o&fields=state')
            ->{ids}, [ @id{qw(net line bad)} ], 'of those that match');

    my $names = sub {
        my ($path, $query, $name) = @_;
        return join ' ', map { $_->{$name} }
            @{ list($path, $query)->{json} };
    };
    is($names->(SPECS, 'sort=name', 'id'), 'Internet.Service Voip.Line',
        'specifications');
    is($names->(SPECS, 'sort=-name', 'id'), 'Voip.Line Internet.Service',
        'backwards');
    is($names->(SPECS, 'sort=lifecycleStatus,version,-id', 'id'),
        'Voip.Line Internet.Service', 'by several');
    ok($names->(SPECS, "sort=$_", 'id'), "sort=$_") for qw(lastUpdate);
    for my $sign ('', '-') {
        my @dates = split / /,
            $names->(SERVICES, "sort=${sign}serviceDate", 'serviceDate');
        is(@dates, 4, 'services');
        is("@dates", join(' ', $sign ? reverse(sort @dates) : sort @dates),
            "by ${sign}serviceDate");
    }
    is(list(SERVICES, 'sort=serviceSpecification.id,-serviceDate')
            ->{json}[0]{serviceSpecification}{id},
        'Internet.Service', 'by what is nested');
    is(list(SERVICES, "sort=$_")->{status}, 200, "sort=$_")
        for qw(id state operatingStatus name category serviceType startDate
        endDate serviceSpecification.version externalIdentifier.id
        serviceOrderItem.serviceOrderId);
};

subtest 'fields' => sub {
    my $one = sub { return list(ORDERS, "id=$id{net}&$_[0]")->{json}[0] };
    is_deeply([ sort keys %{ $one->('fields=state') } ],
        [qw(href id state)], 'one field, and always id and href');
    is_deeply([ sort keys %{ $one->('fields=state,priority') } ],
        [qw(href id priority state)], 'two');
    is_deeply([ sort keys %{ $one->('fields=state&fields=priority') } ],
        [qw(href id priority state)], 'as two parameters');
    is_deeply([ sort keys %{ $one->('fields=none') } ],
        [qw(href id)], 'none');
    is_deeply([ sort keys %{ $one->('fields=nothing') } ],
        [qw(href id)], 'one that is not there');
    is_deeply([ sort keys %{ $one->('fields=note,x-flag') } ],
        [qw(href id note x-flag)], 'also unknown ones');
    ok(keys %{ $one->('fields=') } > 10, 'an empty list asks for all');
    my $got = $t->get(ORDERS . "/$id{net}?fields=state")->{json};
    is_deeply([ sort keys %$got ], [qw(href id state)], 'of one order');
    $got = $t->get(SERVICES . '?fields=name')->{json}[0];
    is_deeply([ sort keys %$got ], [qw(href id name)], 'of services');
    $got = $t->get(SPECS . '/Voip.Line?fields=name,version')->{json};
    is_deeply([ sort keys %$got ],
        [qw(href id name version)], 'of a specification');
};

# Attributes inside of others: what is kept, as canonical JSON.
subtest 'inner fields' => sub {
    my $json = JSON::PP->new->canonical;
    my $net  = order($t, $id{net});
    my $keep = sub {
        my ($what, @names) = @_;
        return { map { ($_ => $what->{$_}) }
                grep { exists $what->{$_} } qw(id href), @names };
    };
    my @items = @{ $net->{serviceOrderItem} };
    my %want  = (
        'serviceOrderItem.state' => { serviceOrderItem =>
            [ map { $keep->($_, 'state') } @items ] },
        'serviceOrderItem.state,serviceOrderItem.action,state' => {
            state            => $net->{state},
            serviceOrderItem =>
                [ map { $keep->($_, qw(state action)) } @items ],
        },
        'relatedParty.role' => { relatedParty =>
            [ map { $keep->($_, 'role') } @{ $net->{relatedParty} } ] },
        'note.author'  => { note => [ {}, {} ] },
        'note.text'    => { note => $net->{note} },
        'note,note.id' => { note => $net->{note} },
        'serviceOrderItem.service.name' => { serviceOrderItem => [ map {
            +{ %{ $keep->($_) }, service => $keep->($_->{service}, 'name') }
        } @items ] },
        'serviceOrderItem.service' => { serviceOrderItem =>
            [ map { $keep->($_, 'service') } @items ] },
        'serviceOrderItem.service.serviceSpecification.id' =>
            { serviceOrderItem => [ map {
                +{ %{ $keep->($_) }, service => {
                    %{ $keep->($_->{service}) },
                    serviceSpecification =>
                        $keep->($_->{service}{serviceSpecification}),
                } }
            } @items ] },
        'state.x'     => {},
        'state.x,category' => { category => $net->{category} },
        'nothing.at.all'   => {},
        'note.'       => {},
        '.note'       => {},
        'none,note.x' => { note => [ {}, {} ] },
    );
    for my $fields (sort keys %want) {
        my $all = $json->encode({ %{ $keep->($net) }, %{ $want{$fields} } });
        my $one = $t->get(ORDERS . "/$id{net}?fields=$fields");
        is($json->encode($one->{json}), $all, "fields=$fields");
        my $list = list(ORDERS, "id=$id{net}&fields=$fields");
        is($json->encode($list->{json}), "[$all]", 'in a list');
    }
    my $two = list(ORDERS, 'relatedParty.id=p-1&fields=relatedParty.id');
    is(@{ $two->{json} }, 2, 'each element of a list');
    is_deeply([ sort map { join ' ', sort keys %$_ } @{ $two->{json} } ],
        [ ('href id relatedParty') x 2 ], 'is cut down');
    my $service = list(SERVICES, 'fields=serviceSpecification.version')
        ->{json}[0];
    is(join(' ', sort keys %{ $service->{serviceSpecification} }),
        'href id version', 'of services');
    my $spec = $t->get(SPECS . '/Voip.Line?fields=specCharacteristic.name')
        ->{json};
    is_deeply($spec->{specCharacteristic}[0], { name => 'numberRange' },
        'of specifications')
        or diag($json->encode($spec));
    my $posted = $t->post(ORDERS . '?fields=serviceOrderItem.action', {
        serviceOrderItem => [ item('1', 'add',
            { serviceSpecification => { id => 'No' } }) ] });
    is($posted->{status}, 201, 'a POST');
    is_deeply($posted->{json}, { %{ $keep->($posted->{json}) },
            serviceOrderItem => [ { id => '1', action => 'add' } ] },
        'is shown in part') or diag($posted->{content});
    push @all, $id{posted} = $posted->{json}{id};
};

subtest 'pages' => sub {
    for my $n (1 .. MANY) {
        my $reply = post_order(
            $t,
            [ item('1', 'add', { serviceSpecification => { id => 'No' } }) ],
            category => 'page',
            priority => '' . $n % 2
        );
        is($reply->{status}, 201, "order $n");
    }
    my $page = list(ORDERS, 'category=page');
    is($page->{status}, 200,  'all on one page');
    is($page->{total},  MANY, 'X-Total-Count');
    is($page->{count},  MANY, 'X-Result-Count');
    my @ids = @{ $page->{ids} };
    my @seen;
    for (my $at = 0; $at < MANY; $at += 10) {
        $page = list(ORDERS, "category=page&limit=10&offset=$at");
        my $last = $at + 10 >= MANY;
        is($page->{status}, $last ? 200 : 206, "the page at $at");
        is($page->{total}, MANY,               'of all');
        is($page->{count}, $last ? MANY - $at : 10, 'so many');
        is(@{ $page->{ids} }, $page->{count}, 'and so many there are');
        push @seen, @{ $page->{ids} };
    }
    is("@seen", "@ids", 'the pages are the whole, in order');
    my %try = (
        'limit=25'           => [ 200, 25 ],
        'limit=24'           => [ 206, 24 ],
        'limit=26'           => [ 200, 25 ],
        'limit=1000000'      => [ 200, 25 ],
        'offset=5'           => [ 200, 20 ],
        'offset=25'          => [ 200, 0 ],
        'offset=999999999'   => [ 200, 0 ],
        'offset=24&limit=1'  => [ 200, 1 ],
        'offset=23&limit=1'  => [ 206, 1 ],
        'limit=0'            => [ 200, 0 ],
        'limit=999999999999999999'  => [ 200, 25 ],
        'offset=999999999999999999' => [ 200, 0 ],
    );
    for my $query (sort keys %try) {
        $page = list(ORDERS, "category=page&$query");
        is("$page->{status} $page->{count} $page->{total}",
            "$try{$query}[0] $try{$query}[1] " . MANY, $query);
        is(ref $page->{json}, 'ARRAY', 'a list');
    }
    # Where the other pages are, and where this one is.
    my $link = sub {
        my ($reply) = @_;
        my %to;
        for (split /, (?=<)/, $reply->{headers}{link} // '') {
            /^<(http:\/\/[^<>\s]+)>; rel="(\w+)"$/ or die "link: $_\n";
            $to{$2} = $1;
        }
        return \%to;
    };
    my $asked = 'category=page&fields=state,note.text&sort=-orderDate'
        . '&x%22%20y.ne=%3E%22,%2C,%3By&priority.regex=%5E%5B01%5D$';
    my $path = ORDERS;
    for my $size (1, 7, 24, 25, 26) {
        my ($at, $url, %seen, @back) = (0, "$path?$asked&limit=$size");
        while (defined $url) {
            my $reply = $t->get($url);
            my $count = @{ $reply->{json} };
            my $more  = $at + $count < MANY;
            is($reply->{status}, $more ? 206 : 200, "by $size at $at");
            is($reply->{headers}{'content-range'},
                "items @{[ $at + 1 ]}-@{[ $at + $count ]}/" . MANY,
                'Content-Range');
            is(join(' ', sort keys %{ $reply->{json}[0] }), 'href id state',
                'with the fields that were asked for');
            $seen{ $_->{id} }++ for @{ $reply->{json} };
            push @back, $reply->{json}[0]{id};
            my %to = %{ $link->($reply) };
            is(join(' ', sort keys %to), join(' ', sort 'first', 'last',
                    $at ? 'prev' : (), $more ? 'next' : ()), 'links');
            like($to{$_}, qr{^\Q@{[ $t->url . $path ]}\E\?}, "$_ is absolute")
                for sort keys %to;
            my $first = $t->get($to{first} =~ s/^\Q@{[ $t->url ]}\E//r);
            is($first->{json}[0]{id}, $back[0], 'the first page');
            my $last = $t->get($to{last} =~ s/^\Q@{[ $t->url ]}\E//r);
            is("$last->{status} " . @{ $last->{json} },
                '200 ' . (MANY % $size || $size), 'the last page');
            if ($to{prev}) {
                my $prev = $t->get($to{prev} =~ s/^\Q@{[ $t->url ]}\E//r);
                is($prev->{json}[0]{id}, $back[-2], 'the page before');
            }
            $at += $count;
            $url = $to{next} && $to{next} =~ s/^\Q@{[ $t->url ]}\E//r;
        }
        is_deeply(\%seen, { map { $_ => 1 } @ids },
            'next visits every row exactly once');
    }
    for my $query ('category=page', 'category=none', 'category=none&limit=5',
        'category=page&limit=0', 'category=page&offset=25') {
        $page = list(ORDERS, $query);
        is($page->{headers}{'content-range'}, undef, "$query: no range");
        is($link->($page)->{next}, undef, 'and nothing next');
    }
    is(list(ORDERS, 'category=page')->{headers}{link}, undef,
        'the whole has no links');
    like($link->(list(ORDERS, 'category=page&limit=10&offset=999'))->{prev},
        qr/&offset=20&limit=10$/, 'back from beyond the end');
    like($link->(list(ORDERS, 'category=page&limit=10&offset=3'))->{prev},
        qr/&offset=0&limit=10$/, 'back from between');
    my $long = 'category=page&limit=2&' . join '&',
        map { "x$_.ne=" . 'y' x 120 } 1 .. 11;
    is(join(' ', sort keys %{ $link->(list(ORDERS, $long)) }),
        'first next', 'a header has an end: what matters most comes first');
    $long .= '&x.ne=' . '%22' x 1200;
    is(list(ORDERS, $long)->{headers}{link}, undef, 'or nothing');
    is(list(ORDERS, $long)->{headers}{'content-range'}, 'items 1-2/' . MANY,
        'beside the range');

    # Among those that a sort finds equal, the pages go by id.
    for my $sort ('priority', '-priority', 'category', 'state,-orderDate') {
        $page = list(ORDERS, "category=page&sort=$sort");
        my @whole = @{ $page->{json} };
        is(@whole, MANY, "sort=$sort");
        my @paged;
        for (my $at = 0; $at < MANY; $at += 7) {
            push @paged, @{ list(ORDERS,
                "category=page&sort=$sort&limit=7&offset=$at")->{ids} };
        }
        is("@paged", join(' ', map { $_->{id} } @whole), 'page by page');
        my %by = (
            'priority'  => sub { $_[0]{priority} cmp $_[1]{priority} },
            '-priority' => sub { $_[1]{priority} cmp $_[0]{priority} },
            'category'  => sub { 0 },
            'state,-orderDate' =>
                sub { $_[1]{orderDate} cmp $_[0]{orderDate} },
        );
        is(join(' ', map { $_->{id} } @whole), join(' ', map { $_->{id} }
                sort { $by{$sort}->($a, $b) || $a->{id} cmp $b->{id} }
                @whole), 'and by id where equal');
    }
    $page = list(ORDERS, 'category=page&priority=0&limit=5');
    is("$page->{status} $page->{count} $page->{total}",
        '206 5 12', 'the total is that of the filtered');
};

# Who is related is found by a column, which follows the document.
subtest 'related parties' => sub {
    my $party = sub {
        return { relatedParty => [ map { { id => $_, role => 'owner',
            name => 'A', '@referredType' => 'Individual' } } @_ ] };
    };
    my $found = sub {
        my ($path, $id) = @_;
        return join ' ', @{ list($path, 'relatedParty.id=' . escaped($id)
                . '&fields=none')->{ids} };
    };
    my @odd = ('{"a,b"}', 'NULL', q{it's "\\"}, '{}', "\x{17e}", ' x');
    my $order = post_order($t, [ voip('P') ], %{ $party->(@odd, 'one') },
        requestedStartDate => '2090-01-01T00:00:00Z');
    is($order->{status}, 201, 'an order') or diag($order->{content});
    $order = $order->{json}{id};
    is($found->(ORDERS, $_), $order, 'an order, by ' . s/[^ -~]/?/gr)
        for @odd, 'one';
    is($found->(ORDERS, '{}x'), '', 'and by no other');
    is($t->patch(ORDERS . "/$order", $party->('two'))->{status}, 200,
        'another party');
    is($found->(ORDERS, 'two'), $order, 'is found');
    is($found->(ORDERS, 'one'), '',     'the one before is not');
    is($t->patch(ORDERS . "/$order", { relatedParty => undef })->{status},
        200, 'nobody');
    is($found->(ORDERS, 'two'), '', 'is not found');

    my $service = $t->post(SERVICES, { state => 'active', name => 'Posted',
            serviceSpecification => { id => 'Voip.Line' },
            %{ $party->(@odd, 'one') } });
    is($service->{status}, 201, 'a service') or diag($service->{content});
    $service = $service->{json}{id};
    is($found->(SERVICES, $_), $service, 'found by ' . s/[^ -~]/?/gr)
        for @odd, 'one';
    my $patched = $t->patch(SERVICES . "/$service", $party->('two'));
    is($patched->{status}, 200, 'changed') or diag($patched->{content});
    is($found->(SERVICES, 'two'), $service, 'found anew');
    is($found->(SERVICES, 'one'), '',       'no longer as before');
    my $item = voip('Q');
    $item->{service}{relatedParty} = $party->('three')->{relatedParty};
    my $made = ends($t, ordered($t, $item)->{id}, 'completed')
        ->{serviceOrderItem}[0]{service}{id};
    is($found->(SERVICES, 'three'), $made, 'one that was ordered');
};

subtest 'no queries' => sub {
    for my $query (
        'limit=-1',          'limit=x',        'limit=',
        'limit=1.5',         'limit=1&limit=2', 'offset=-1',
        'offset=1e3',        'offset=%00',     'limit=%31%00',
        'limit=9999999999999999999',           'state',
        'state=held;x~y',    'state!=held',    'state*=held',
        'state=~c',          'category.regex=', 'limit%3E1',
        'priority.gt>2',     'a..b=1',         '.a=1',
        'a.=1',              '=1',             'category=%ff',
        'category=%c3',      'category=%zz',   'category=%2',
        '%ff=1',             'x;y=1',          'state=a;id=b&x=1',
        'state=a;state=b&id=c', 'state%3D5',   'sort=id&sort=id',
        'a.b.c.d.e.f.g.h.i=1',
        join('&', map {"f$_=1"} 1 .. 33),
        'id=' . join(',', 1 .. 65),
        'fields=' . join(',', map {"f$_"} 1 .. 65),
        )
    {
        my $shown = substr $query, 0, 40;
        my $e     = is_error($t->get(ORDERS . "?$query"), 400, $shown);
        is($e->{code}, '28', 'an invalid query');
    }
    # What is refused for what it asks for is named.
    my %named = (
        'orderDate.gt=2020'                 => 'orderDate',
        'startDate%3C'                      => 'startDate',
        'completionDate.ne=x'               => 'completionDate',
        'requestedStartDate%3E%3D2020-01-01T00:00:00+01:00'
            => 'requestedStartDate',
        'id>1'                              => 'id',
        'state.gt=held'                     => 'state',
        'serviceOrderItem.id.lt=1'          => 'serviceOrderItem.id',
        'serviceOrderItem.action.lte=add'   => 'serviceOrderItem.action',
        'serviceOrderItem.quantity.gt=many' => 'serviceOrderItem.quantity',
        'serviceOrderItem.gt=1'             => 'serviceOrderItem',
        'note.date.gt=2020-01-01T00:00:00Z' => 'note.date',
        'serviceOrderItem.service.state.lt=x' =>
            'serviceOrderItem.service.state',
        'serviceOrderItem.service.hasStarted.lt=true' =>
            'serviceOrderItem.service.hasStarted',
        'state.regex=held'                  => 'state',
        'id*=1'                             => 'id',
        'orderDate=~2030'                   => 'orderDate',
        'serviceOrderItem.id.regex=1'       => 'serviceOrderItem.id',
        'note.date.regex=2030'              => 'note.date',
        'relatedParty.regex=x'              => 'relatedParty',
        'category.regex=(x'                 => 'category',
        'note.text*=x,%5B'                  => 'note.text',
        'category.regex=%5Bz-a%5D'          => 'category',
        'note.text=~%5B%5B:foo:%5D%5D'      => 'note.text',
        'sort='                      => 'sort',
        'sort=id,'                   => 'sort',
        'sort=state,-state'          => 'state',
        'sort=nothing'               => 'nothing',
        'sort=description'           => 'description',
        'sort=id,serviceOrderItem.state' => 'serviceOrderItem.state',
    );
    for my $query (sort keys %named) {
        my $e = is_error($t->get(ORDERS . "?$query"), 400, $query);
        like($e->{message}, qr/(?<!\w)\Q$named{$query}\E(?!\w)/,
            "$named{$query} is named");
    }
    my $e = is_error($t->get(ORDERS . '?state=held&filter=$.x'), 501,
        'JSONPath');
    is($e->{code}, '66', 'is not there');
    is_error($t->get("$_?sort=nothing"), 400, "sort of $_")
        for SERVICES, SPECS;
    is_error($t->get(SERVICES . '?operatingStatus.gt=a'), 400, 'a status');
    is_error($t->get(SPECS . '?isBundle.gt=a'), 400, 'a truth value');
};

# Names and values that would be something else to SQL, jsonpath or HTTP.
subtest 'injection' => sub {
    my $before = $t->sql('select count(*) from service_order');
    my @texts  = (
        q{' or '1'='1}, q{'; drop table service_order; --}, q{$1}, q{%s%s%n},
        q{" || true}, q{") ? (true)}, q{"."x"}, q{\\}, q{\\"}, q{\\u0000},
        q{$.*}, q{@}, q{**}, q{a[*]}, q{strict $}, q{'||pg_sleep(9)||'},
        "a\nb", "a\r\nX-Evil: 1", "\x01", "\x7f", q{null}, q{true}, q{{}},
        q{[]}, q{1e999}, q{-}, q{1e308}, q{0x10}, q{NaN}, q{Infinity},
        "\x{1F600}", "\x{202e}", "\x{feff}", q{<script>}, q{a/b}, q{..},
        q{ }, q{''}, q{""}, q{"}, q{$x$}, q{::text}, q{/*}, q{--},
    );
    for my $text (@texts) {
        my $value = escaped($text);
        my $shown = $text =~ s/[^ -~]/?/gr;
        for my $query (
            "category=$value", "note.text=$value", "id=$value",
            "state=$value",    "orderDate=$value", "x-number=$value",
            "serviceOrderItem.state=$value",
            "serviceOrderItem.service.id=$value",
            "externalId=$value;externalId=$value",
            )
        {
            next if $text =~ /^"?;/ || $text eq q{-};
            my $got = list(ORDERS, $query);
            is("$got->{status} $got->{content}", '200 []', "$query: $shown")
                if $query !~ /^x-number/;
            is($got->{status}, 200, "$query: $shown") if $query =~ /^x-num/;
            ok(!$got->{headers}{'x-evil'}, 'no header of theirs');
        }
        for my $query (
            "externalId.gt=$value", "note.text.lte=$value",
            "x-number.lt=$value",   "x-number.ne=$value",
            "orderDate.gt=$value",  "sort=$value",
            "serviceOrderItem.state.ne=$value",
            "serviceOrderItem.quantity%3E$value",
            "x-mixed.gt=$value",
            )
        {
            my $got = list(ORDERS, $query);
            ok($got->{status} == 200 || $got->{status} == 400,
                "$query: $shown") or diag($got->{content});
        }
        for my $path (ORDERS, SERVICES, SPECS) {
            my $got = list($path, "$value=1");
            ok($got->{status} == 400
                || "$got->{status} $got->{content}" eq '200 []',
                "as a name: $shown") or diag($got->{content});
            $got = list($path, "a.$value.b=1");
            ok($got->{status} == 400
                || "$got->{status} $got->{content}" eq '200 []',
                "inside a name: $shown") or diag($got->{content});
            is(list($path, "fields=$value")->{status}, 200, 'as a field');
        }
    }
    # Expressions: none takes the list's time, none does more than match.
    for my $pattern (
        '(a+)+$', '(a*)*b', '(a|aa)+$', '(.*)*x', '((a|b)*c?)*$', '.*.*.*.*=',
        '(x{30}y{30}){16}', '(((((.*)*)*)*)*)*z', '[^x]*[^y]*[^z]*$',
        ('(' x 16) . '.' . ('?)' x 16) . '?w',
        '.{255}', '(.{0,30}){0,30}', ('(a|' x 16) . 'b' . (')' x 16),
        'a' x 256, "(?:\x{1F600}|\x{202e})+", q{';select pg_sleep(9)--},
        q{$1$2}, q{"x"}, q{%s%n},
        )
    {
        for my $name (qw(externalId note.text x-number)) {
            my $got = list(ORDERS, "$name.regex=" . escaped($pattern));
            is($got->{status}, 200, "$name: " . $pattern =~ s/[^ -~]/?/gr)
                or diag($got->{content});
        }
    }
    for my $pattern (
        '(a)\\1', '(a*)\\1*$', '(x{50}){50}', '(?=x)', '***:x', '(?i)x',
        '((((((((((((((((((x))))))))))))))))))', 'a' x 257, 'x{256}', 'a{2}{3}',
        '((a{9}){9}){9}{9}', '\\', '[', "\x{17e}\\", '(?', 'a{999999999999}',
        )
    {
        my $e = is_error($t->get(ORDERS . '?note.text*=' . escaped($pattern)),
            400, substr($pattern, 0, 40) =~ s/[^ -~]/?/gr);
        like($e->{message}, qr/\bnote\.text\b/, 'is named');
    }
    # As much as a query may hold.
    for my $query (
        'externalId=' . join(',', map { 'x' x 120 } 1 .. 48),
        'note.text=' . join(',', map { 'x' x 120 } 1 .. 64),
        'note.text=' . '%22' x 2700,
        join('&', map { 'a.b.c.d.e.f.g.h.ne=' . $_ } 1 .. 64),
        join('.', map { '%5C' x 330 } 1 .. 8) . '=1',
        join('&', map { "x$_.regex=(a%7Cb)*$_" } 1 .. 20),
        join(';', map { "x$_=$_" } 1 .. 24),
        'fields=' . join(',', map { join '.', ($_ % 10) x 50 } 1 .. 64),
        'fields=' . 'a.' x 4000,
        'sort=' . join(',', qw(state -category priority id -orderDate
            startDate -completionDate externalId)),
        )
    {
        my $got = list(ORDERS, $query);
        is($got->{status}, 200, substr($query, 0, 60))
            or diag($got->{content});
    }
    is($t->sql('select count(*) from service_order'), $before,
        'the orders are still there');
    is(list(ORDERS, 'category=page')->{total}, MANY, 'and can be found');
    is(join('', grep { /syntax error|invalid input/ }
        $t->log_lines('postgres')), '', 'PostgreSQL was never puzzled');
};

$t->stop;
done_testing;
