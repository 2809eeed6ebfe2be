# Redis or PostgreSQL is away and nobody brings it back: every request is
# answered within a second, and with 503 and Retry-After; nobody is told 201 of
# an order that is lost. When it is there again, so is the service, by itself.
use v5.32;
use strict;
use warnings;
use HTTP::Tiny;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);
use Turnup;
use Turnup::Audit;
use Turnup::Traffic;
use Process;

use constant {
    ORDERING       => '/tmf-api/serviceOrdering/v4',
    REFUSE_SECONDS => 1,     # a refusal is told at once
    REFUSE_SAN     => 3,     # sanitizers slow every process on its way down
    CLIENT_SECONDS => 10,    # so that one who is kept waiting is seen to be
    FEW            => 60,    # orders before and after
    MANY           => 600,   # through it: more than are posted before it
    ROUNDS         => 10,    # of all requests, while it is away
    WAIT           => 60,
};

my $t = Turnup->start;
keep_events($t);
my $hubs  = $t->sql('select count(*) from hub_subscription');
my $known = $t->post(ORDERING . '/serviceOrder',
    Turnup::Traffic::order('known-1', 1));
is($known->{status}, 201, 'an order');
my @answers = {
    name   => 'known-1',
    status => 201,
    id     => $known->{json}{id},
    tries  => 1
};

my $orders = ORDERING . '/serviceOrder';

# Everything that a client may ask for; what it is answered when all is well.
my @requests = (
    [ 'GET',    ORDERING . '/serviceOrder?limit=1',                 206 ],
    [ 'GET',    ORDERING . "/serviceOrder/$known->{json}{id}",      200 ],
    [ 'GET',    '/tmf-api/serviceInventory/v4/service?limit=1',     206 ],
    [ 'GET',    '/tmf-api/serviceCatalogManagement/v4/serviceSpecification',
        200 ],
    [ 'POST',   ORDERING . '/serviceOrder',                         201,
        Turnup::Traffic::order('unheard-1', 1) ],
    [ 'POST',   ORDERING . '/hub',                                  201,
        { callback => 'http://127.0.0.1:9/unheard' } ],
    [ 'DELETE', ORDERING . '/hub/00000000-0000-7000-8000-000000000000', 404 ],
);

# Timed by itself.
sub ask {
    my ($method, $path, undef, $body) = @{ $_[0] };
    local $t->{http} = HTTP::Tiny->new(timeout => CLIENT_SECONDS);
    my $asked = time;
    my $reply = $t->request($method, $path, $body);
    $reply->{seconds} = time - $asked;
    return $reply;
}

sub at_once {
    my ($name, @seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $slowest = sprintf '%.3f', max(@seconds);
    cmp_ok($slowest, '<=', $t->{san} ? REFUSE_SAN : REFUSE_SECONDS,
        "$name: each answered within $slowest s");
}

# All orders of new traffic complete, and everything agrees.
sub works {
    my ($name) = @_;
    my $traffic = Turnup::Traffic->start($t, $name, FEW);
    $t->wait_for(WAIT, sub { $traffic->accepted == FEW },
        'orders are accepted');
    push @answers, $traffic->finish;
    audit($t, @answers);
}

sub supervisor {
    return (split ' ', read_file($t->home . '/stack.pid'))[0];
}

# All requests again and again: 503 with Retry-After, each of them.
sub refused {
    my (%wrong, @seconds);
    for my $request ((@requests) x ROUNDS) {
        my $reply = ask($request);
        my $retry = $reply->{headers}{'retry-after'} // 'none';
        my $fine  = $reply->{status} == 503 && $retry =~ /^[1-9]\d*$/
            && ref $reply->{json} eq 'HASH'
            && defined $reply->{json}{code} && defined $reply->{json}{reason};
        push @seconds, $reply->{seconds};
        $wrong{"@$request[0, 1]: $reply->{status}, Retry-After $retry, "
            . $reply->{content} }++ if !$fine;
    }
    is(join("\n", map {"$wrong{$_} x $_"} sort keys %wrong),
        '', @seconds . ' requests: each answered 503 with Retry-After');
    at_once('these', @seconds);
}

works('before');

for my $server (qw(redis postgres)) {
    subtest "$server is away" => sub {
        my $stack   = supervisor();
        my $traffic = Turnup::Traffic->start($t, "through-$server", MANY);
        $t->wait_for(WAIT, sub { $traffic->accepted >= FEW },
            'orders are being posted');
        $t->freeze($stack);    # so nothing is started again
        $t->kill9($server);

        # The first requests may be those in which the edge or the intake
        # learn of it; these are refused as well.
        refused();
        my $health;
        $t->wait_for(
            WAIT,
            sub {
                $health = ask([ 'GET', '/health' ]);
                return $health->{status} == 503;
            },
            'not healthy'
        );
        is($health->{json}{$server}, 'down', 'and why');
        is($t->get('/metrics')->{status}, 200, 'metrics are there');
        my $before = $traffic->accepted;
        refused();
        is($traffic->accepted, $before, 'no order is accepted meanwhile');
        for my $malformed ('{', '{}', '[]') {
            my $reply = ask([ 'POST', $orders, undef, $malformed ]);
            like($reply->{status}, qr/^(?:400|503)$/, "refused: $malformed");
            at_once($malformed, $reply->{seconds});
        }

        $t->thaw($stack);
        $t->wait_for(
            WAIT,
            sub { $t->get('/health')->{status} == 200 },
            'back again: healthy'
        );
        $t->wait_for(WAIT, sub { $traffic->accepted == MANY },
            'those who did not give up are served');
        push @answers, $traffic->finish;
        cmp_ok((sort { $b <=> $a } map { $_->{tries} } @answers)[0],
            '>', 1, 'having been refused before');
        works("after-$server");
        for my $request (grep { $_->[0] ne 'POST' } @requests) {
            is(ask($request)->{status}, $request->[2],
                "$request->[0] $request->[1]");
        }
        is($t->sql('select count(*) from hub_subscription'),
            $hubs, 'nothing of what was refused is stored');
    };
}

$t->stop;
done_testing;
