# Ten thousand bodies that are wrong, each in a way of its own: every one is
# refused at the edge with a TMF error, and nobody behind it notices. The
# sequence is the same at every run; TURNUP_SEED=n makes another one.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use RawHttp;
use Turnup;
use Turnup::Random;

use constant {
    BODIES => 10_000,
    BATCH  => 40,        # requests on their way at once
    DEEP   => 1000,
};

my $seed = $ENV{TURNUP_SEED} // 641;
diag("TURNUP_SEED=$seed") if $ENV{TURNUP_SEED};
seed($seed);

my $json = JSON::PP->new->utf8->canonical;
my $hub  = ORDERS =~ s{[^/]+$}{hub}r;

# Well-formed bodies, and the paths in them with values that cannot stand
# there.
my $text   = [ 7, -1.5, JSON::PP::true, [], {}, ['x'], { a => 1 } ];
my $list   = [ 7, 'x', JSON::PP::false, {}, [7], ['x'], [ [] ], [undef] ];
my $object = [ 7, 'x', JSON::PP::true, [], [ {} ] ];
my $flag   = [ 7, 'true', [], {} ];
my $whole  = [ 'x', '7', JSON::PP::true, 1.5, [], {} ];
my $date   = [ 7, 'x', '2020-13-01T00:00:00Z', '2020-01-01', '', [], {},
    JSON::PP::true, '2020-01-01T25:00:00Z', '2020-01-01 00:00:00' ];
my $must = [ undef, '', ' ', @$text ];

my @sorts = (
    {
        path => ORDERS,
        body => {
            externalId         => "x-\x{e9}\x{1F600}",
            description        => 'an order "in quotes" \\',
            priority           => '1',
            category           => 'a,b',
            requestedStartDate => '2031-01-01T00:00:00.000Z',
            note               => [ { text => 'n', author => 'a' } ],
            relatedParty => [ { id => 'p', '@referredType' => 'I' } ],
            serviceOrderItem   => [
                internet('1', quantity => 1),
                relies_on(voip('2'), '1'),
            ],
        },
        wrong => {
            externalId                    => $text,
            description                   => $text,
            priority                      => $text,
            category                      => $text,
            state                         => [ 'completed', 'x', @$text ],
            requestedStartDate            => $date,
            requestedCompletionDate       => $date,
            note                          => $list,
            'note.0.text'                 => $must,
            'note.0.date'                 => $date,
            relatedParty                  => $list,
            'relatedParty.0.id'           => $must,
            'relatedParty.0.@referredType' => $must,
            serviceOrderItem              => [ undef, [], @$list ],
            'serviceOrderItem.0'          => $object,
            'serviceOrderItem.0.id'       => $must,
            'serviceOrderItem.1.id'       => [ '1', @$must ],
            'serviceOrderItem.0.action'   => [ 'remove', 'Add', @$must ],
            'serviceOrderItem.0.quantity' => $whole,
            'serviceOrderItem.0.state'    => [ 'completed', 'x', @$text ],
            'serviceOrderItem.0.service'  => [ undef, @$object ],
            'serviceOrderItem.0.service.name'  => $text,
            'serviceOrderItem.0.service.state' => [ 'x', @$text ],
            'serviceOrderItem.0.service.isBundle' => $flag,
            'serviceOrderItem.0.service.serviceSpecification' => $object,
            'serviceOrderItem.0.service.serviceSpecification.id' => $must,
            'serviceOrderItem.0.service.serviceCharacteristic' => $list,
            'serviceOrderItem.0.service.serviceCharacteristic.0.name' =>
                $must,
            'serviceOrderItem.0.service.serviceCharacteristic.0.value' =>
                [undef],
            'serviceOrderItem.1.serviceOrderItemRelationship' => $list,
            'serviceOrderItem.1.serviceOrderItemRelationship.0.orderItem' =>
                $object,
        },
    },
    {
        path => SPECS,
        body => {
            name     => "S\x{159}",
            isBundle => JSON::PP::false,
            validFor => { startDateTime => '2020-01-01T00:00:00Z' },
            specCharacteristic => [
                {
                    name           => 'c',
                    minCardinality => 1,
                    characteristicValueSpecification => [ { value => 1 } ],
                }
            ],
        },
        wrong => {
            name                     => $must,
            description              => $text,
            isBundle                 => $flag,
            lifecycleStatus          => $text,
            version                  => $text,
            validFor                 => $object,
            'validFor.startDateTime' => $date,
            relatedParty             => $list,
            specCharacteristic       => $list,
            'specCharacteristic.0.name'           => $must,
            'specCharacteristic.0.minCardinality' => $whole,
            'specCharacteristic.0.configurable'   => $flag,
            'specCharacteristic.0.characteristicValueSpecification' => $list,
            targetEntitySchema       => $object,
        },
    },
    {
        path => SERVICES,
        body => {
            state                 => 'active',
            name                  => "S\x{159}",
            operatingStatus       => 'running',
            serviceDate           => '2020-01-01T00:00:00Z',
            serviceSpecification  => { id => 'S', version => '1' },
            serviceCharacteristic => [ { name => 'c', value => 1 } ],
            supportingResource    => [ { id => 'r' } ],
            note => [ { text => 'n', author => 'a',
                date => '2020-01-01T00:00:00Z' } ],
        },
        wrong => {
            state           => [ undef, 'Active', 'retired', '', @$text ],
            name            => $text,
            operatingStatus => [ 'Running', '', @$text ],
            serviceDate     => $date,
            startDate       => $date,
            isBundle        => $flag,
            serviceSpecification           => [ undef, @$object ],
            'serviceSpecification.id'      => $must,
            'serviceSpecification.version' => $text,
            serviceCharacteristic          => $list,
            'serviceCharacteristic.0.name'  => $must,
            'serviceCharacteristic.0.value' => [undef],
            supportingResource              => $list,
            'supportingResource.0.id'       => $must,
            note                            => $list,
            'note.0.text'                   => $must,
            'note.0.author'                 => $must,
            'note.0.date' => [ undef, @$date ],
        },
    },
    {
        path  => $hub,
        body  => { callback => 'http://127.0.0.1:9/x', query => '' },
        wrong => {
            callback => [ 'x', 'ftp://a/b', 'http://', '//a', @$must ],
            query    => $text,
        },
    },
);

# Where a string of the text may take something in: behind its first quote.
sub inside_string {
    my ($body, $what) = @_;
    my @at;
    push @at, pos $body while $body =~ /"(?=[^"\\:,{}\[\]]+")/g;
    substr $body, pick(@at), 0, $what;
    return $body;
}

# A value in place of a random one.
sub instead_of_value {
    my ($body, $what) = @_;
    my @at;
    push @at, [ $-[1], $+[1] - $-[1] ]
        while $body =~ /:("(?:[^"\\]|\\.)*"|\d+|true|false)(?=[,}])/g;
    my ($from, $length) = @{ pick(@at) };
    substr $body, $from, $length, $what;
    return $body;
}

sub text_for { return $json->encode($_[0]{body}) }

my %ways = (
    truncated => sub {
        my $body = text_for($_[0]);
        return substr $body, 0, random(length $body);
    },
    'of the wrong type' => sub {
        my ($sort) = @_;
        my $copy   = $json->decode(text_for($sort));
        my $path   = pick(sort keys %{ $sort->{wrong} });
        my @steps  = split /[.]/, $path;
        my $last   = pop @steps;
        my $at     = $copy;
        $at = ref $at eq 'ARRAY' ? $at->[$_] : $at->{$_} for @steps;
        my $value = pick(@{ $sort->{wrong}{$path} });
        if (ref $at eq 'ARRAY') { $at->[$last] = $value }
        else                    { $at->{$last} = $value }

        # an absent one where it must be there is as wrong as null
        delete $at->{$last}
            if !defined $value && ref $at eq 'HASH' && random(2);
        return $json->encode($copy);
    },
    'with bad UTF-8' => sub {
        my $bad = pick("\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\x80",
            "\xf4\x90\x80\x80", "\xe2\x28\xa1", "\xf8\x88\x80\x80\x80",
            chr(0x80 + random(64)));
        return inside_string(text_for($_[0]), $bad);
    },
    'nested too deep' => sub {
        my $depth = 200 + random(DEEP);
        return random(2)
            ? instead_of_value(text_for($_[0]),
            '[' x $depth . ']' x $depth)
            : instead_of_value(text_for($_[0]),
            '{"a":' x $depth . '1' . '}' x $depth);
    },
    'with numbers too large' => sub {
        my $number = pick('1e400', '-1e999999999', '9' x 400, '1E+309',
            '0.' . '0' x 400 . '1e800', '1' . '0' x 5000, '1e-99999999999');
        return text_for($_[0]) =~ s/^\{/{"x-n":$number,/r;
    },
    'with numbers that are none' => sub {
        my $number = pick('01', '+1', '.5', '1.', '1e', '1e+', '0x1', 'NaN',
            'Infinity', '-', '--1', '1_0', '1,0', '- 1', "1\0");
        return text_for($_[0]) =~ s/^\{/{"x-n":$number,/r;
    },
    'with control characters' => sub {
        return inside_string(text_for($_[0]), chr random(32));
    },
    'with lone surrogates' => sub {
        my $bad = pick('\ud800', '\udc00', '\udbff\u0041', '\udfff\ud800',
            '\ud83d', '\ud83d\\\\', '\ude00\ud83d');
        return inside_string(text_for($_[0]), $bad);
    },
    'with NUL' => sub {
        return inside_string(text_for($_[0]), pick('\u0000', "\0"));
    },
    'with bad escapes' => sub {
        my $bad = pick('\x41', '\u12-', '\u12g4', '\a', '\U0041', '\0',
            '\u+123');
        return inside_string(text_for($_[0]), $bad);
    },
    'with a name twice' => sub {
        my ($sort) = @_;
        my $name = pick(sort keys %{ $sort->{body} });
        my $once = $json->encode({ $name => $sort->{body}{$name} });
        return text_for($sort)
            =~ s/^\{/{@{[ substr $once, 1, length($once) - 2 ]},/r;
    },
    'with something behind' => sub {
        return text_for($_[0])
            . pick('}', ']', ',', '{}', 'x', '0', '"', '"x', '"x\\', '"\u12',
            "\0", 'null', text_for($_[0]));
    },
    'with a slip of the pen' => sub {
        my $body = text_for($_[0]);
        my %slip = (
            ',' => [ ',,', '', ';', ':' ],
            ':' => [ '::', '', '=', ',' ],
            '{' => [ '{,', '[', '(' ],
            '}' => [ ',}', ']', '' ],
        );
        my $mark = pick(sort keys %slip);
        my @at;

        # marks inside strings do not count
        while ($body =~ /"(?:[^"\\]|\\.)*"|([,:{}])/g) {
            push @at, $-[1] if defined $1 && $1 eq $mark;
        }
        return substr $body, 0, -1 if !@at;
        substr $body, pick(@at), 1, pick(@{ $slip{$mark} });
        return $body;
    },
    'of another kind' => sub {
        return pick('', ' ', "\n", 'null', 'true', '7', '"x"', '[]', '[{}]',
            '{}', '[', '{', "\xef\xbb\xbf{}", '<xml/>', 'a=b&c=d', "\0",
            "\x1f\x8b\x08", "'{}'", '//', '/* */', '{"":}', '{"a"}',
            '{a:1}', "{'a':1}", 'undefined',
            "\xff\xfe{\0}\0", '[' x (random(5000) + 1),
            '[' . text_for($_[0]) . ']', $json->encode(text_for($_[0])));
    },
    'of noise' => sub {
        return join '', map { chr random(256) } 0 .. random(300);
    },
);

my $t = Turnup->start(families => quick_families());

sub entries {
    my $sum = 0;
    for my $api (qw(ordering inventory catalog)) {
        my $info = $t->redis('XINFO', 'STREAM', "turnup:req:$api");
        $sum += ($info =~ /^entries-added\n(\d+)$/m)[0];
    }
    for my $family (qw(internet-access voip)) {
        my $info = $t->redis('XINFO', 'STREAM', "turnup:fam:$family");
        $sum += ($info =~ /^entries-added\n(\d+)$/m)[0];
    }
    return $sum;
}

# Of the intake's heartbeat, which comes each second.
sub counter {
    my ($name) = @_;
    my ($key)  = split /\n/, $t->redis('KEYS', 'turnup:worker:intake:*');
    my $beat   = eval { decode_json($t->redis('GET', $key)) } // {};
    return $beat->{counters}{$name} // -1;
}

sub rows {
    return join ' ', map { $t->sql("select count(*) from $_") }
        qw(service_order service_specification entity_instance
        hub_subscription event);
}

# One that is right, so that those that are wrong are wrong in one way only.
for my $sort (@sorts) {
    my $reply = $t->post($sort->{path}, text_for($sort));
    is($reply->{status}, 201, "$sort->{path} takes what is right")
        or diag($reply->{content});
}
my $sent = @sorts;
$t->wait_for(WAIT, sub { counter('requests') == $sent }, 'all of them taken');
my $before = { entries => entries(), rows => rows(),
    pid => join ' ', sort map { $t->pid_of($_) }
        qw(intake notify keeper family:voip nginx-worker) };

# Sends a batch on one connection and reads all its answers; where the edge
# closed in between, the rest goes on a new one.
my $client;
my (%by_status, @wrong);

sub judge {
    my ($way, $body, $answer) = @_;
    my $e    = ref $answer->{json} eq 'HASH' ? $answer->{json} : {};
    my $good = $answer->{status} =~ /^4/
        && ($e->{status} // '') eq $answer->{status}
        && ($e->{code}   // '') =~ /^\d+$/
        && length($e->{reason}  // '')
        && length($e->{message} // '')
        && ($answer->{headers}{'content-type'} // '') =~ /^application\/json/;
    $by_status{ $answer->{status} }++;
    push @wrong, "$way: " . substr($body, 0, 300)
        . " -> $answer->{status} " . substr($answer->{body}, 0, 200)
        if !$good;
}

sub run_batch {
    my (@batch) = @_;
    my $tries = 0;
    while (@batch) {
        $tries++ > 2 * BATCH and die "the edge does not answer\n";
        $client //= RawHttp->connect($t->{port}->number);
        $client->write(join '',
            map { RawHttp::request('POST', $_->[1], $_->[2]) } @batch);
        while (@batch) {
            my $answer = eval { $client->answer };
            if (!$answer) {
                $client = undef;
                last;
            }
            my ($way, undef, $body) = @{ shift @batch };
            judge($way, $body, $answer);
            if (($answer->{headers}{connection} // '') eq 'close') {
                $client = undef;
                last;
            }
        }
    }
}

my @names = sort keys %ways;
my (@batch, %sent);
for my $n (1 .. BODIES) {
    my $sort = pick(@sorts);
    my $way  = pick(@names);
    my $body = $ways{$way}->($sort);
    $sent{$way}++;
    push @batch, [ $way, $sort->{path}, $body ];
    if (@batch == BATCH || $n == BODIES) {
        run_batch(@batch);
        @batch = ();
    }
}
my $answered = 0;
$answered += $_ for values %by_status;
is($answered, BODIES, 'every one was answered');
is(scalar @wrong, 0, 'each with a TMF error of its status');
diag($_) for grep { defined } @wrong[ 0 .. 9 ];
note("$_: $by_status{$_}") for sort keys %by_status;
cmp_ok($sent{$_}, '>', 100, "bodies $_") for @names;

is(entries(), $before->{entries}, 'nothing went onto any stream');
is(rows(),    $before->{rows},    'nothing was stored');
is($t->get(ORDERS)->{headers}{'x-total-count'}, 1, 'one order is there');
$sent++;
$t->wait_for(WAIT, sub { counter('requests') >= $sent }, 'a request more');
is(counter('requests'), $sent, 'is all that the workers were asked');
is(join(' ', sort map { $t->pid_of($_) }
    qw(intake notify keeper family:voip nginx-worker)), $before->{pid},
    'nobody was started anew');
ends($t, ordered($t, voip('1'))->{id}, 'completed', 'and service goes on');
is($t->get('/health')->{status}, 200, 'in good health');
$t->stop;
done_testing;
