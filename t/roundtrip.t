# What a client sends it gets back: documents made at random of what /openapi
# says is legal, with attributes nobody knows at every level, numbers in every
# spelling, strings escaped in every way, nested as deep as may be. Each is
# given back by POST, GET, list and event, and lives through a PATCH: numbers
# as they were spelt, strings by value, lists in their order. The sequence is
# the same at every run; TURNUP_SEED=n makes another one.
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
use Turnup;
use Turnup::Random;

use constant {
    DOCUMENTS => 100,    # of each resource
    DEEPEST   => 32,     # objects and lists in each other, the whole included
    OPTIONAL  => 4,      # one of so many optional attributes is there
    SHOWN     => 5,      # differences
    LATER     => '"2999-01-01T00:00:00.000Z"',
};

my $seed = $ENV{TURNUP_SEED} // 630;
seed($seed);

my $dir = tempdir('turnup-roundtrip-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0777, $dir;
my $t = Turnup->start(
    families => quick_families(),
    conf     => {
        'catalog.import_directory' => $dir,
        'catalog.export_directory' => $dir,
    }
);
my $listener = $t->listener;
my $chars    = JSON::PP->new->utf8->allow_nonref;

# A JSON text as a tree that forgets nothing: numbers as they are spelt.
# ['o', {}], ['a', []], ['s', bytes], ['n', text], ['l', 'true' ...]
sub scan {
    my ($text) = @_;
    pos($text) = 0;
    my $tree = value_at(\$text);
    $text =~ /\G\s*\z/ or die "not JSON at @{[ pos $text ]}: $text\n";
    return $tree;
}

sub value_at {
    my ($text) = @_;
    $$text =~ /\G\s+/gc;
    return [ s => unescaped($1) ] if $$text =~ /\G"((?:[^"\\]|\\.)*+)"/gcs;
    return [ n => $1 ] if $$text =~ /\G(-?\d[\d.eE+-]*)/gc;
    return [ l => $1 ] if $$text =~ /\G(true|false|null)/gc;
    if ($$text =~ /\G\[\s*/gc) {
        my @list;
        until ($$text =~ /\G\s*\]/gc) {
            push @list, value_at($text);
            $$text =~ /\G\s*,/gc;
        }
        return [ a => \@list ];
    }
    $$text =~ /\G\{\s*/gc or die "not JSON at @{[ pos $$text ]}: $$text\n";
    my %object;
    until ($$text =~ /\G\s*\}/gc) {
        my $name = value_at($text)->[1];
        exists $object{$name} and die "twice: $name\n";
        $$text =~ /\G\s*:/gc or die "no value of $name\n";
        $object{$name} = value_at($text);
        $$text =~ /\G\s*,/gc;
    }
    return [ o => \%object ];
}

sub unescaped {
    my ($inside) = @_;
    return $inside if index($inside, '\\') < 0;
    my $string = $chars->decode("\"$inside\"");
    utf8::encode($string);
    return $string;
}

# How the second differs from the first, one line each. $more: paths, without
# indices, of objects that may hold more than was sent, and of lists that may
# before it.
sub differences {
    my ($sent, $got, $more, $path) = @_;
    $path //= '';
    $got  //= [ l => 'nothing' ];
    my ($type, $value) = @$sent;
    return "$path: " . text($sent) . ' is ' . text($got)
        if $type ne $got->[0] || !ref $value && $value ne $got->[1];
    my $its = $got->[1];
    if ($type eq 'a') {
        return "$path: @{[ scalar @$value ]} elements are @{[ scalar @$its ]}"
            if @$value != @$its && !(@$value < @$its && $path =~ $more);
        my $first = @$its - @$value;
        return map {
            differences($value->[$_], $its->[ $first + $_ ], $more, $path)
        } keys @$value;
    }
    return if $type ne 'o';
    my @added = grep { !exists $value->{$_} } sort keys %$its;
    return "$path: has got @added" if @added && $path !~ $more;
    return map {
        differences($value->{$_}, $its->{$_}, $more, "$path/$_")
    } sort keys %$value;
}

sub text {
    my ($tree) = @_;
    my ($type, $value) = @$tree;
    return $value if !ref $value;
    return $type eq 'a' ? '[...]' : "{@{[ join ',', sort keys %$value ]}}";
}

# One of everything that may stand in a text.
sub literal {
    my $string = join '', map { piece() } 0 .. random(6);
    return "\"$string\"";
}

sub piece {
    my $code = pick(0x20 + random(0x5f), 0xa1 + random(0x500), 0x2028, 0xfeff,
        0xfffd, 0xffff, 0xd7ff, 0xe000, 0x1f600 + random(64), 0x10ffff);
    return pick('\n', '\t', '\b', '\f', '\r', '\/', '\\\\', '\"', '\u001f',
        '\u007f', "\x7f")
        if !random(6);
    return pick('a', 'Z', '7', ' ', '.', '-') if random(2);
    my $raw = chr $code;
    utf8::encode($raw);
    return $raw if random(2) && $raw !~ /["\\]/;
    return sprintf pick('\u%04x', '\u%04X'), $code if $code < 0x10000;
    my $rest = $code - 0x10000;
    return sprintf '\ud%03x\uD%03X', 0x800 + ($rest >> 10),
        0xc00 + ($rest & 0x3ff);
}

sub digits { return join '', map { random(10) } 1 .. $_[0] }

sub number {
    return pick(0, '-0', '0.0', '-0.0', '1.0', '1.50', '1e3', '1E+3', '1e-0',
        '12e+02', '0e5', '-7.000', '1e308', '-1e-308', random(1000),
        '9' . digits(19), '-1' . digits(62), '0.' . digits(30) . '0',
        '1' . digits(20) . '.' . digits(10) . 'e-' . random(300));
}

# A value below $depth objects and lists, that goes not far down ...
sub anything {
    my ($depth) = @_;
    my $room = $depth < DEEPEST && random(3);
    return deep($depth) if $room && !random(12);
    return pick('true', 'false', 'null', literal(), number(), number())
        if !$room || random(2);
    return '[' . join(', ', map { anything($depth + 1) } 1 .. random(4)) . ']'
        if random(2);
    return object(unknown($depth + 1, random(4)));
}

# ... or as far as may be.
sub deep {
    my ($depth) = @_;
    my ($open, $close) = ('', '');
    while ($depth++ < DEEPEST) {
        my $list = random(2);
        $open .= $list ? '[' : '{' . ($depth % 2 ? '"":' : '"a/~b.c":');
        $close = ($list ? ']' : '}') . $close;
    }
    return $open . number() . $close;
}

sub object { return '{' . join(pick(',', ' , '), @_) . '}' }

# Members that no schema knows, by names that somebody may trip over.
sub unknown {
    my ($depth, $count) = @_;
    my %names = map {
        (pick('x-' . random(100), '', 'a.b', 'c/d', '~1', '@own',
                "na\xc3\xafve", '$ref', 'doc', 'data', 'items', 'seq',
                'activation', '{{x}}',
                "it's", 'x y', '*', '0', 'null') => 1)
    } 1 .. $count;
    return map { "\"$_\":" . anything($depth) } sort keys %names;
}

# What the schemas do not say, by type and attribute; undef: it is not sent.
my $ids  = 0;
my %made = (
    'ServiceOrder_Create.requestedStartDate' => sub { LATER },
    'ServiceOrderItem.id'                    => sub { '"' . ++$ids . '"' },
    'ServiceOrderItem.action'                => sub { '"add"' },
    'ServiceOrderItem.service'               => \&service_to_add,
    'ServiceCategory_Create.parentId'        => sub { undef },
    'ServiceSpecification_Create.version'    => sub {
        '"' . random(99) . '~b"';
    },
);

# One that will be rejected, or one that can be had.
sub service_to_add {
    my ($schemas, $depth) = @_;
    my %given = (id => undef, href => undef);
    $given{serviceSpecification} = '{"id":"Voip.Line","version":"1.0","x":-0}',
        $given{serviceCharacteristic} = '[{"name":"codec","value":"G.722"}]'
        if random(2);
    return object(
        members('ServiceRefOrValue', $schemas, $depth + 1, %given));
}

# A value as a schema has it, in that many objects and lists.
sub conforming {
    my ($schema, $schemas, $depth) = @_;
    my $type = $schema->{type} // '';
    return object(members($1, $schemas, $depth + 1))
        if ($schema->{'$ref'} // '') =~ m{/(\w+)$};
    return pick(map { "\"$_\"" } @{ $schema->{enum} }) if $schema->{enum};
    return '"2030-01-02T03:04:05.678Z"'
        if ($schema->{format} // '') eq 'date-time';
    return '"x' . substr(literal(), 1) if $type eq 'string';
    return pick('true', 'false')       if $type eq 'boolean';
    return pick(0, 7, -3, 12345)       if $type eq 'integer';
    return number()                    if $type eq 'number';
    return list($schema, $schemas, $depth) if $type eq 'array';
    return anything($depth) =~ s/^null$/0/r;
}

sub list {
    my ($schema, $schemas, $depth) = @_;
    my $count = ($schema->{minItems} // 0) + random(2);
    return '['
        . join(',', map { conforming($schema->{items}, $schemas, $depth + 1) }
            1 .. $count)
        . ']';
}

# Those of a type; given: texts of some. Deep down only what must be.
sub members {
    my ($type, $schemas, $depth, %given) = @_;
    my $properties = $schemas->{$type}{properties};
    my %must = map { $_ => 1 } @{ $schemas->{$type}{required} // [] };
    for my $name (sort keys %$properties) {
        my $its = $properties->{$name};
        next if $its->{readOnly} || exists $given{$name};
        next if !$must{$name} && random($depth * OPTIONAL);
        my $make = $made{"$type.$name"};
        $given{$name} =
              $make
            ? $make->($schemas, $depth)
            : conforming($its, $schemas, $depth);
    }
    return (
        (map { "\"$_\":$given{$_}" }
            grep { defined $given{$_} } sort keys %given),
        unknown($depth, random(3))
    );
}

# An order to be cancelled, and what else a client may say of it.
sub order_to_cancel {
    my $order = post_order($t, [ voip('1') ],
        requestedStartDate => LATER =~ tr/"//dr);
    return object("\"id\":\"$order->{json}{id}\"", unknown(2, random(4)));
}

# The resources: their API, the type of a POST, where the server puts in more,
# what is given, and what a PATCH changes beside what it says, where there is
# one; whether events tell of them.
my @kinds = (
    {
        at    => ORDERS,
        type  => 'ServiceOrder_Create',
        more  => qr{^(?:/serviceOrderItem)*(?:/service)?$},
        given => sub { (requestedStartDate => LATER) },
        moves => [],
        told  => 1,
    },
    {
        at    => ORDERS =~ s{[^/]+$}{cancelServiceOrder}r,
        type  => 'CancelServiceOrder_Create',
        more  => qr{^(?:/serviceOrder)?$},
        given => sub { (serviceOrder => order_to_cancel()) },
        told  => 1,
    },
    {
        at    => SERVICES,
        type  => 'Service_Create',
        more  => qr{^(?:/serviceSpecification|/externalIdentifier)?$},
        given => sub { (state => pick('"designed"', '"active"')) },
        moves => [qw(version versionStartDate)],
        told  => 1,
    },
    (map {
        {
            at    => SPECS =~ s{[^/]+$}{$_}r,
            type  => ucfirst "${_}_Create",
            more  => qr{^$},
            given => sub {
                (url => '"file:///nowhere"',
                    map { $_ => undef } qw(id path query contentType));
            },
        }
    } qw(importJob exportJob)),
    map {
        {
            at    => SPECS =~ s{[^/]+$}{$_}r,
            type  => ucfirst "${_}_Create",
            more  => qr{^$},
            given => sub { (id => undef) },
            moves => ['lastUpdate'],
            told  => 1,
        }
    } qw(serviceCatalog serviceCategory serviceCandidate serviceSpecification)
);

sub schemas_of {
    my ($path) = @_;
    my ($api)  = $path =~ m{/(\w+)/v4/};
    return $t->get("/openapi/$api/v4.json")->{json}{components}{schemas};
}

# What was sent is in what came, one by one.
sub is_given_back {
    my ($kind, $sent, $got, $how, $more) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @all = map {
        differences($sent->[$_], $got->[$_], $more // $kind->{more})
    } keys @$sent;
    ok(!@all, "$kind->{name}: $how") or do {
        splice @all, SHOWN if @all > SHOWN;
        diag("TURNUP_SEED=$seed\n", join "\n", @all);
    };
}

sub answered {
    my ($kind, $reply, $status, $body) = @_;
    return scan($reply->{content}) if $reply->{status} == $status;
    fail("$kind->{name}: $status");
    diag("TURNUP_SEED=$seed\n$reply->{status} $reply->{content}\n",
        $body // '');
    return [ o => {} ];
}

# Those of a list, in the order of their ids.
sub listed {
    my ($kind, $ids) = @_;
    my $list = answered($kind, $t->get("$kind->{at}?limit=1000"), 200);
    my %by_id = map { $_->[1]{id}[1] => $_ } @{ $list->[1] };
    return [ @by_id{@$ids} ];
}

# And what a listener was told of their creation.
sub heard {
    my ($kind, $ids) = @_;
    my $found = sub {
        my %by_id;
        for my $attempt ($listener->attempts) {
            my $event = $attempt->{body}{event}{ $kind->{name} } // next;
            next if $attempt->{body}{eventType} !~ /CreateEvent$/;
            $by_id{ $event->{id} } = $attempt->{text};
        }
        my @texts = grep {defined} @by_id{@$ids};
        return @texts == @$ids && \@texts;
    };
    my $texts =
        $t->wait_for(WAIT, $found, "$kind->{name}: all are told") || [];
    return [ map { scan($_)->[1]{event}[1]{ $kind->{name} } } @$texts ];
}

# One attribute gets another value; all others are as they were before.
sub patched {
    my ($kind, $id, $before) = @_;
    my $name  = pick('description', 'x-patched');
    my $merge = random(2);

    # a json-patch is itself a list and an object about the value
    my $value =
        $name eq 'description'
        ? literal()
        : '[' . anything($merge ? 2 : 3) . ']';
    my $body =
        $merge
        ? "{\"$name\":$value}"
        : "[{\"op\":\"add\",\"path\":\"/$name\",\"value\":$value}]";
    my $type = $merge ? 'merge-patch' : 'json-patch';
    my $got  = answered(
        $kind,
        $t->patch("$kind->{at}/$id", $body,
            { 'Content-Type' => "application/$type+json" }),
        200, $body
    );
    my %now = (%{ $before->[1] }, $name => scan($value));
    $now{$_} = $got->[1]{$_} for grep { $now{$_} && $got->[1]{$_} }
        @{ $kind->{moves} };
    return ([ o => \%now ], $got);
}

sub is_kept {
    my ($kind, $ids, $before) = @_;
    my (@wanted, @patched);
    for (keys @$ids) {
        my ($now, $got) = patched($kind, $ids->[$_], $before->[$_]);
        push @wanted,  $now;
        push @patched, $got;
    }
    my @got = map { answered($kind, $t->get("$kind->{at}/$_"), 200) } @$ids;
    is_given_back($kind, \@wanted, \@patched, 'PATCH', qr/(?!)/);
    is_given_back($kind, \@wanted, \@got, 'GET after PATCH', qr/(?!)/);
}

# A job as it is when it has ended, which it does behind those before it.
sub job {
    my ($kind, $body) = @_;
    my $at = SPECS =~ s{[^/]+$}{$kind}r;
    my $id = $t->post($at, $body)->{json}{id};
    my $job;
    $t->wait_for(WAIT, sub {
        ($job = $t->get("$at/$id")->{json}) && $job->{completionDate};
    });
    return $job;
}

# Of the catalog: a file has them as a list does, and may be read again.
sub is_exported {
    my ($kind, $ids) = @_;
    my %of  = (url => "file://$dir/$kind->{name}.json", path => $kind->{at});
    my $job = job('exportJob', \%of);
    is($job->{status}, 'Succeeded', "$kind->{name}: exported")
        or diag($job->{errorLog});
    my $file  = scan(read_file("$dir/$kind->{name}.json"));
    my %by_id = map { $_->[1]{id}[1] => $_ } @{ $file->[1] };
    my $now   = listed($kind, $ids);
    is_given_back($kind, $now, [ @by_id{@$ids} ], 'file', qr/(?!)/);
    my $events = $t->sql('select count(*) from event');
    $job = job('importJob', \%of);
    is($job->{status}, 'Succeeded', "$kind->{name}: imported")
        or diag($job->{errorLog});
    is($t->sql('select count(*) from event'), $events, 'nothing has changed');
}

# A query looks into the events.
my %query = (
    (SERVICES) => 'event.service.state=designed,active',
    (ORDERS)   =>
        'event.serviceOrder.requestedStartDate.gt=2000-01-01T00:00:00Z',
);
subscribe($t, $_, $listener, query => $query{$_} // '')
    for ORDERS, SERVICES, SPECS;
subscribe($t, ORDERS, $listener,
    query => 'eventType=CancelServiceOrderCreateEvent');
for my $kind (@kinds) {
    my $schemas = schemas_of($kind->{at});
    $kind->{name} = $kind->{at} =~ s{.*/}{}r;
    my (@sent, @made);
    for (1 .. DOCUMENTS) {
        my $body = object(
            members($kind->{type}, $schemas, 1, $kind->{given}->()));
        push @sent, scan($body);
        push @made, answered($kind, $t->post($kind->{at}, $body), 201, $body);
    }
    my @ids = map { $_->[1]{id}[1] } @made;
    is_given_back($kind, \@sent, \@made, 'POST');
    is_given_back($kind, \@sent, heard($kind, \@ids), 'event')
        if $kind->{told};
    is_given_back($kind, \@sent, listed($kind, \@ids), 'list');
    my @got = map { answered($kind, $t->get("$kind->{at}/$_"), 200) } @ids;
    is_given_back($kind, \@sent, \@got, 'GET');
    is_kept($kind, \@ids, \@got) if $kind->{moves};
    is_exported($kind, \@ids) if $kind->{at} =~ /Catalog.*service/;
}

$t->stop;
done_testing;
