# The edge and conditional requests: what of If-Match and If-None-Match reaches
# the streams, what is refused, and that nginx does not judge for itself.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use Test::More;
use Edge;
use FakeWorker;
use RawHttp;

start_edge();

subtest 'what reaches a worker' => sub {
    for my $path ("$order/1", "$service/1", "$spec/1") {
        my ($taken) = through(0, 'GET', $path, undef,
            'If-None-Match' => ' "a", W/"b" ', 'if-match' => '*');
        is($taken->{'if-none-match'}, '"a", W/"b"', "$path If-None-Match");
        is($taken->{'if-match'},      '*',          'If-Match');
        ($taken) = through(0, 'GET', $path);
        ok(!exists $taken->{"if-$_"}, "no if-$_") for qw(match none-match);
    }
    my $long = join ', ', map { sprintf '"%032x"', $_ } 1 .. 100;
    my ($taken) = through(0, 'PATCH', "$spec/1", '{"description":"x"}',
        'If-Match' => $long);
    is($taken->{'if-match'}, $long, 'a long list');
    for ([ GET => $order ], [ POST => $order, $valid ]) {
        ($taken) = through(0, @$_, ($_->[2] ? () : undef),
            'If-Match' => 'bad', 'If-None-Match' => '*');
        ok(!exists $taken->{"if-$_"}, "no if-$_ without an id")
          for qw(match none-match);
    }
};

subtest 'what is refused' => sub {
    for my $value ('', ',', 'a', '"a', '"a" "b"', 'w/"a"', '*, "a"', '"a b"') {
        for my $name ('If-Match', 'If-None-Match') {
            my $answer = ask('DELETE', "$order/1", undef, $name => $value);
            is_error($answer, 400, "$name: $value");
            like($answer->{json}{message}, qr/^$name is/, 'names the header');
            is($answer->{json}{code}, '26', 'as a header');
        }
    }
    is(ask('DELETE', "$order/1", undef, 'If-Match' => '"a"',
        'If-Match' => '"b"')->{status}, 400, 'two lines of one, by nginx');
    ok($worker->idle, 'none of it was queued');
};

sub answered {
    my ($status, $body, $headers, @request) = @_;
    my $client = client()->send(@request);
    my ($taken) = $worker->take(1);
    $worker->answer($taken, $status, $body, %$headers);
    return ($client->answer, $client);
}

subtest 'a worker judges, not nginx' => sub {
    my $past = 'Sat, 01 Jan 2000 00:00:00 GMT';
    my ($answer) = answered(200, '{"a":1}', { ETag => '"new"' },
        'PATCH', "$spec/1", '{"description":"x"}', 'If-Match' => '"old"',
        'If-Unmodified-Since' => $past);
    is($answer->{status},        200,       'a change that is made');
    is($answer->{body},          '{"a":1}', 'its body');
    is($answer->{headers}{etag}, '"new"',   'its ETag');
    ($answer) = answered(200, '{"a":1}', { ETag => '"a"' },
        'GET', "$spec/1", undef, 'If-None-Match' => '"a"');
    is($answer->{status}, 200, 'a worker that knows no conditions');
    ($answer) = answered(200, '[]', {}, 'GET', $order, undef,
        'If-None-Match' => '*');
    is($answer->{status}, 200, 'a list has none');
};

subtest '304 and 412' => sub {
    for my $method (qw(GET HEAD)) {
        my ($answer, $client) = answered(304, 'left out', { ETag => '"a"' },
            $method, "$spec/1", undef, 'If-None-Match' => '"a"');
        is($answer->{status},        304,   "304 to $method");
        is($answer->{headers}{etag}, '"a"', 'with the ETag');
        ok(!exists $answer->{headers}{$_}, "no $_")
          for qw(content-type content-length transfer-encoding);
        $client->send('GET', '/nothing');
        is($client->answer->{status}, 404, 'no body: the connection lives on');
    }
    my ($answer) = answered(412, '{"code":"69"}', {}, 'DELETE', "$spec/1",
        undef, 'If-Match' => '"a"');
    is($answer->{status}, 412,             'of a worker');
    is($answer->{body},   '{"code":"69"}', 'with its body');
};

end_edge();
done_testing;
