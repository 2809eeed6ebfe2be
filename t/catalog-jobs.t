# Import and export of the catalog: from and to files and URLs, what is bad in
# them, and a keeper that dies in the midst of it.
use v5.32;
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(mkfifo);
use Test::More;
use Api;
use Process;
use Turnup;

my $dir = tempdir('turnup-jobs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir "$dir/$_" or die "$dir/$_: $!\n" for qw(in in/deep out other);
my $t = Turnup->start(
    families => quick_families(),
    conf     => {
        'catalog.import_directory' => "$dir/in",
        'catalog.export_directory' => "$dir/out",
    }
);
my $api  = SPECS =~ s{/[^/]+$}{}r;
my $json = JSON::PP->new->utf8->canonical;
my $hub  = $t->listener;      # events
my $peer = $t->listener;      # the other side of jobs with a URL
subscribe($t, SPECS, $hub);

sub path { return join '/', $api, @_ }

sub job {
    my ($kind, %body) = @_;
    my $reply = $t->post(path($kind), \%body);
    is($reply->{status}, 201, "$kind: accepted") or diag($reply->{content});
    return $reply->{json};
}

sub read_job { return $t->get(path(@_))->{json} }

# As it is when it has ended.
sub job_end {
    my ($kind, $id) = @_;
    my $job;
    $t->wait_for(WAIT, sub {
        ($job = read_job($kind, $id)) && $job->{completionDate};
    }) or diag($json->encode($job // {}));
    return $job;
}

sub done {
    my ($kind, %body) = @_;
    return job_end($kind, job($kind, %body)->{id});
}

sub is_done {
    my ($job, $status, $progress, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = join '/', @{ $job->{progress} // {} }{qw(total done failed)};
    is("$job->{status} $got", "$status $progress", $name)
        or diag($json->encode($job));
}

# A file of an import, and its URL.
sub file {
    my ($name, $content) = @_;
    write_file("$dir/in/$name",
        ref $content ? $json->encode($content) : $content);
    return "file://$dir/in/$name";
}

sub import_file {
    my ($content, %body) = @_;
    return done('importJob', url => file('import.json', $content), %body);
}

sub category {
    my ($id, %body) = @_;
    return { '@type' => 'ServiceCategory', id => $id, name => $id, %body };
}

sub types_told {
    my ($id) = @_;
    return join ' ', map { $_->{eventType} } told($hub, $id);
}

my @tree = (
    { '@type' => 'ServiceCatalog', id => 'Cat', name => 'Catalog',
        category => [ { id => 'Root' } ] },
    { '@type' => 'ServiceCatalog', id => 'Else', name => 'Another' },
    category('Root'),
    category('Leaf', parentId => 'Root', 'x-own' => 1.50),
    { '@type' => 'Special', '@baseType' => 'ServiceCandidate', id => 'Cand',
        name => 'Candidate', category => [ { id => 'Leaf' } ],
        serviceSpecification => { id => 'Spec' } },
    map { {
        '@type' => 'ServiceSpecification', id => 'Spec', name => "Spec $_",
        version => $_, href => 'http://elsewhere/Spec'
    } } '1.0', '2.0',
);

subtest 'a job is a resource' => sub {
    $peer->answer('hang');
    my $reply = $t->post(path('importJob'), { url => $peer->url,
        contentType => 'application/json; charset=utf-8',
        path => path('serviceCategory'), status => 'Succeeded',
        progress => 'all of it', errorLog => 'none', 'x-own' => [ 1 ],
        creationDate => '2001-01-01T00:00:00Z' });
    is($reply->{status}, 201, 'created') or diag($reply->{content});
    my $job = $reply->{json};
    is($job->{href}, $t->url . path('importJob', $job->{id}), 'href');
    is($reply->{headers}{location}, $job->{href},  'Location');
    is($job->{status},              'Not Started', 'status is the server\'s');
    is($job->{'@type'},             'ImportJob',   '@type');
    isnt($job->{creationDate}, '2001-01-01T00:00:00Z', 'creationDate too');
    like($job->{creationDate}, qr/^\d{4}-.*\.\d{3}Z$/, 'it is a time');
    is_deeply($job->{'x-own'}, [1], 'what we do not know');
    ok(!exists $job->{$_}, "no $_")
        for qw(progress errorLog completionDate lastUpdate lifecycleStatus);
    my $at = path('importJob', $job->{id});
    $t->wait_for(WAIT, sub { read_job('importJob', $job->{id})->{status}
        eq 'Running' }, 'begun');
    my $running = $t->get($at);
    ok($running->{headers}{etag}, 'it has an ETag');
    is_deeply($t->get(path('importJob') . '?status=Running')->{json},
        [ $running->{json} ], 'listed');
    is_deeply($t->get(path('exportJob'))->{json}, [], 'as what it is');
    is_deeply($t->get("$at?fields=status")->{json}, { id => $job->{id},
        href => $job->{href}, status => 'Running' }, 'fields');
    is_error($t->patch($at, {}), 405, 'PATCH');
    is_error($t->get(path('importJob', 'none')),    404, 'none');
    is_error($t->delete(path('importJob', 'none')), 404, 'DELETE of none');
    is_error($t->delete($at, { 'If-Match' => '"x"' }), 412, 'If-Match');

    is($t->delete($at)->{status}, 204, 'deleted while it runs');
    is_error($t->get($at), 404, 'gone');
    is_error($t->delete($at), 404, 'once');
    $t->kill9('keeper');    # it still waits for an answer
    my $other = import_file([]);
    is_done($other, 'Succeeded', '0/0/0', 'the next one runs');
    is($t->sql('select count(*) from catalog_job'), 0, 'nothing is left');
    is(scalar($peer->attempts), 1, 'the deleted one was not begun again');

    my @same = (path('importJob'), { url => $other->{url} },
        { 'Idempotency-Key' => 'job' });
    my $first = $t->post(@same)->{json};
    is($t->post(@same)->{json}{id}, $first->{id}, 'Idempotency-Key');
    job_end('importJob', $first->{id});
};

subtest 'refused' => sub {
    my $before = $t->get(path('importJob'))->{headers}{'x-total-count'};
    my $url    = 'http://127.0.0.1:1/';
    my @bad    = (
        [ {}, '/url' ],
        ( map { [ { url => $_ }, '/url' ] } undef, '', 7, 'here',
            'ftp://x/y', 'http://', '/etc/passwd', 'file', 'http://x/ y' ),
        [ { url => $url, contentType => 'text/csv' }, '/contentType' ],
        [ { url => $url, contentType => 7 },          '/contentType' ],
        ( map { [ { url => $url, path => $_ }, '/path' ] } 7, 'service',
            'importJob', 'serviceCategory/', 'servicecategory' ),
    );
    for (@bad) {
        my ($body, $pointer) = @$_;
        is_error($t->post(path($_), $body), 400,
            "$_ " . $json->encode($body), $pointer)
            for qw(importJob exportJob);
    }
    is_error($t->post(path('exportJob'), { url => $url, query => $_ }), 400,
        "query $_", '/query')
        for 'fields=id', 'limit=1', 'offset=1', 'sort=id', 'id.gt', '=x';
    is_error($t->post(path('importJob'), $_), 400, "body $_")
        for '', '[]', '{';
    is($t->get(path('importJob'))->{headers}{'x-total-count'}, $before,
        'nothing came');
};

subtest 'import of a file' => sub {
    is_done(import_file(\@tree), 'Succeeded', '7/7/0', 'all of it');
    is($t->get(path('serviceCategory', 'Leaf'))->{json}{parentId}, 'Root',
        'is there');
    like($t->get(path('serviceCategory', 'Leaf'))->{content},
        qr/"x-own":1\.50?\b/, 'as it was written');
    is($t->get(path('serviceCandidate', 'Cand'))->{json}{'@type'}, 'Special',
        'told by its @baseType');
    is($t->get(SPECS . "/Spec?version=$_")->{json}{name}, "Spec $_",
        "version $_")
        for '1.0', '2.0';
    is($t->get(SPECS . '/Spec')->{json}{href}, $t->url . SPECS . '/Spec',
        'href is ours');
    $t->wait_for(WAIT, sub { types_told('Cat') =~ /Batch/ }, 'told');
    is(types_told('Cat'), 'ServiceCatalogCreateEvent ServiceCatalogBatchEvent',
        'the catalog');
    is_deeply(resource((told($hub, 'Cat', qr/Batch/))[0]),
        $t->get(path('serviceCatalog', 'Cat'))->{json}, 'whole');
    is(types_told($_->[0]), $_->[1], $_->[0])
        for [ Root => 'ServiceCategoryCreateEvent' ],
        [ Cand => 'ServiceCandidateCreateEvent' ],
        [ Spec => join ' ', ('ServiceSpecificationCreateEvent') x 2 ];
    my $order = ends($t, ordered($t, item('1', 'add', { serviceSpecification =>
        { id => 'Spec', version => '1.0' } }))->{id}, 'rejected');
    like(errors($order), qr/^noFamily/, 'orders are judged by it');

    my $before = $t->get(path('serviceCategory', 'Leaf'))->{json};
    is_done(import_file(\@tree), 'Succeeded', '7/7/0', 'the same once more');
    is_deeply($t->get(path('serviceCategory', 'Leaf'))->{json}, $before,
        'changes nothing');
    $tree[4]{name} = 'Renamed';
    is_done(import_file([ $tree[4] ]), 'Succeeded', '1/1/0', 'one has changed');
    is($t->get(path('serviceCandidate', 'Cand'))->{json}{name}, 'Renamed',
        'it is another');
    $t->wait_for(WAIT, sub { types_told('Cat') =~ /Batch.*Batch/ }, 'told');
    is(types_told('Cand'),
        'ServiceCandidateCreateEvent ServiceCandidateChangeEvent', 'of it');
    is(types_told('Cat'), 'ServiceCatalogCreateEvent'
            . ' ServiceCatalogBatchEvent' x 2,
        'and of the catalog it is in');
    is(types_told('Root'), 'ServiceCategoryCreateEvent', 'of nothing else');
    is(types_told('Else'),
        'ServiceCatalogCreateEvent ServiceCatalogBatchEvent', 'nor elsewhere');
    is((grep { $_->{eventType} =~ /Job/ } $hub->events), 0, 'nor of jobs');

    is($t->delete(SPECS . '/Spec')->{status}, 204, 'deleted');
    is_done(import_file([ $tree[6] ]), 'Succeeded', '1/1/0', 'back again');
    is($t->get(SPECS . '/Spec')->{json}{version}, '2.0', 'that version');
    is_error($t->get(SPECS . '/Spec?version=1.0'), 404, 'not the other');
    is((told($hub, 'Spec'))[-1]{eventType}, 'ServiceSpecificationCreateEvent',
        'created anew')
        if $t->wait_for(WAIT, sub { told($hub, 'Spec') == 4 }, 'told');
};

subtest 'import from a URL, of one resource' => sub {
    $peer->forget;
    $peer->answer(200, ':body' => $json->encode([
        { name => 'No id' }, { name => 'One', id => 'One' } ]));
    my $job = done('importJob', url => $peer->url, path => 'serviceCategory');
    is_done($job, 'Succeeded', '2/2/0', 'told by path');
    my ($get) = $peer->attempts;
    is("$get->{method} $get->{headers}{accept}", 'GET application/json',
        'asked for');
    is($t->get(path('serviceCategory', 'One'))->{status}, 200, 'there');
    my $made = $t->get(path('serviceCategory') . '?name=No%20id')->{json};
    is(scalar @$made, 1, 'and the one without an id');
    like($made->[0]{id}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-8/, 'which has one now');
    is_done(done('importJob', url => $peer->url), 'Failed', '2/0/2',
        'without path nobody knows what they are');
    is_done(import_file([ category('Not.A.Catalog') ],
        path => 'serviceCatalog'), 'Failed', '1/0/1', 'not what path names');
    is_error($t->get(path($_, 'Not.A.Catalog')), 404, "no $_")
        for qw(serviceCatalog serviceCategory);
};

subtest 'bad documents among good ones' => sub {
    my @mixed = (
        category('Good.1'),
        category('Bad.1', name => ''),
        category('Bad.2', parentId => 'x', isRoot => JSON::PP::true),
        7,
        { '@type' => 'ServiceCandidate', name => 'No specification' },
        category('a/b'),
        category('Good.1', name => 'twice'),
        { '@type' => 'Service', name => 'Nothing of ours' },
        category('Good.2'),
    );
    my $job = import_file(\@mixed);
    is_done($job, 'Failed', '9/2/7', 'counted');
    my @log = split /\n/, $job->{errorLog};
    is(scalar @log, 7, 'a line each');
    like($job->{errorLog}, qr/^$_/m, "log: $_")
        for qr{/1/name: serviceCategory Bad\.1: \S}, qr{/2/isRoot: .*Bad\.2: },
        qr{/3/\@type: }, qr{/4/serviceSpecification: serviceCandidate },
        qr{/5/id: }, qr{/6/id: serviceCategory Good\.1: .*twice},
        qr{/7/\@type: };
    is($t->get(path('serviceCategory', "Good.$_"))->{json}{name}, "Good.$_",
        "Good.$_")
        for 1, 2;
    is_error($t->get(path('serviceCategory', "Bad.$_")), 404, "Bad.$_")
        for 1, 2;
    $job = import_file([ map { { x => 'y' x 100 } } 1 .. 2000 ]);
    is_done($job, 'Failed', '2000/0/2000', 'very many');
    cmp_ok(length $job->{errorLog}, '<', 20_000, 'the log has an end');
    like($job->{errorLog}, qr/\n\.\.\.\z/, 'and says so');
    my @text = ('[{"@type":"ServiceCategory","id":"Raw","name":"',
        '"}, {"@type":"ServiceCategory","id":"Raw.2","name":"x"}]');
    is_done(import_file(join $_, @text), 'Failed', '2/1/1', "a bad text")
        for "\xff", '\u0000', "a\nb", '\ud800';
    is_error($t->get(path('serviceCategory', 'Raw')), 404, 'is not taken');
};

subtest 'nothing that can be read' => sub {
    my $count = $t->sql('select count(*) from catalog_entity'
            . " where resource not like '%Job'");
    my (@jobs, $files);
    for ('', ' ', '{}', '7', 'null', '[', '[1', '[{},', '[{},]', '[,]',
        '[{}]x', '[{}][]', '[{}}]', '["a]', "\x00", '<html>',
        $json->encode([ map { category("Cut.$_") } 1 .. 3 ]) =~ s/.$//r)
    {
        my $url = file('bad' . ++$files, $_);
        push @jobs, [ $json->encode([$_]), job('importJob', url => $url) ];
    }
    symlink "$dir/other/x.json", "$dir/in/link.json" or die "$!\n";
    symlink "$dir/other",        "$dir/in/away"      or die "$!\n";
    mkfifo("$dir/in/pipe", 0600) or die "$!\n";
    write_file("$dir/other/x.json", $json->encode([ category('Escaped') ]));
    for (
        "$dir/in/none.json", "$dir/in", "$dir/in/", "$dir/in/deep",
        "$dir/other/x.json", "$dir/in/../other/x.json",
        "$dir/in/%2e%2e/other/x.json", "$dir/in/deep/..%2f../other/x.json",
        "$dir/in/link.json", "$dir/in/away/x.json", "$dir/in/pipe",
        "$dir/in/%00", "$dir/in/%zz", "$dir/in//import.json", "$dir/inx", '/',
        '/etc/passwd', '/dev/zero', "//elsewhere$dir/in/import.json"
    ) {
        push @jobs, [ $_, job('importJob', url => "file:$_") ];
    }
    for (@jobs) {
        my $job = job_end('importJob', $_->[1]{id});
        is($job->{status}, 'Failed', $_->[0]);
        ok($job->{errorLog}, 'and why') or diag($json->encode($job));
    }
    $peer->forget;
    for my $case ([404], [500], [304], [ 204 ],
        [ 302, Location => $peer->url . '/there' ], [ 200, ':body' => '[' ],
        ['drop'])
    {
        $peer->answer(@$case);
        my $job = done('importJob', url => $peer->url);
        is($job->{status}, 'Failed', "answered $case->[0]");
        ok($job->{errorLog}, 'and why') or diag($json->encode($job));
    }
    is((grep { $_->{path} =~ /there/ } $peer->attempts), 0,
        'a redirect is not followed');
    is(done('importJob', url => 'http://127.0.0.1:1/')->{status}, 'Failed',
        'nobody there');
    is($t->sql('select count(*) from catalog_entity'
            . " where resource not like '%Job'"), $count, 'nothing came');
};

subtest 'export' => sub {
    my $job = done('exportJob', url => "file://$dir/out/all.json");
    my @all = map { @{ $t->get(path($_))->{json} } }
        qw(serviceCatalog serviceCategory serviceCandidate
        serviceSpecification);
    my $n = @all;
    is_done($job, 'Succeeded', "$n/$n/0", 'all of it');
    my $sorted = sub {
        return [ sort { $json->encode($a) cmp $json->encode($b) } @_ ];
    };
    my @out = @{ $json->decode(read_file("$dir/out/all.json")) };
    is_deeply($sorted->(@out), $sorted->(@all), 'as lists show it');
    is(join(' ', map { s{.*/}{}r } glob "$dir/out/{.turnup,}*"), 'all.json',
        'nothing else is left there');

    $job = done('exportJob', url => "file://$dir/out/all.json",
        path => '/x/serviceCategory', query => 'parentId=Root&id=Leaf,Root');
    is_done($job, 'Succeeded', '1/1/0', 'in its place: what is asked for');
    my $text = read_file("$dir/out/all.json");
    is_deeply($json->decode($text),
        [ $t->get(path('serviceCategory', 'Leaf'))->{json} ], 'that one');
    is_done(done('exportJob', url => "file://$dir/out/none.json",
        query => 'id=nothing'), 'Succeeded', '0/0/0', 'nothing');
    is(read_file("$dir/out/none.json"), '[]', 'is an empty list');

    $peer->forget;
    $peer->answer(201);
    $job = done('exportJob', url => $peer->url, path => 'serviceCatalog');
    is($job->{status}, 'Succeeded', 'to a URL');
    my @put = $peer->attempts;
    is(join(' ', map { $_->{method} } @put), 'PUT', 'by PUT');
    is($put[0]{headers}{'content-type'}, 'application/json', 'as JSON');
    is_deeply($sorted->(@{ $put[0]{body} }),
        $sorted->(@{ $t->get(path('serviceCatalog'))->{json} }), 'whole');
    for my $case ([403], [500], [ 307, Location => $peer->url ], ['drop']) {
        $peer->answer(@$case);
        $job = done('exportJob', url => $peer->url);
        is($job->{status}, 'Failed', "answered $case->[0]");
        ok($job->{errorLog}, 'and why');
    }
    symlink "$dir/other", "$dir/out/away" or die "$!\n";
    for ("$dir/in/x.json", "$dir/out/../x.json", "$dir/out/none/x.json",
        "$dir/out/away/x.json", "$dir/out/", '/etc/turnup-export')
    {
        $job = done('exportJob', url => "file:$_");
        is($job->{status}, 'Failed', "file:$_");
        ok($job->{errorLog}, 'and why');
    }
    ok(!-e "$dir/other/x.json" || read_file("$dir/other/x.json") =~ /Escaped/,
        'nothing was written elsewhere');
    is(read_file("$dir/out/all.json"), $text, 'and what was there is');
    $job = done('exportJob', url => "file://$dir/out/x.json",
        query => 'validFor.gt=1', path => 'serviceCatalog');
    is($job->{status}, 'Failed', 'what has no order');
    like($job->{errorLog}, qr/validFor/, 'is named');
};

subtest 'there and back' => sub {
    done('exportJob', url => "file://$dir/out/all.json");
    my %before = map { ($_ => $t->get(path($_))->{json}) }
        qw(serviceCatalog serviceCategory serviceCandidate);
    for my $kind (keys %before) {
        is($t->delete(path($kind, $_->{id}))->{status}, 204, "$kind $_->{id}")
            for @{ $before{$kind} };
    }
    my $job = import_file(read_file("$dir/out/all.json"));
    is($job->{status}, 'Succeeded', 'back again') or diag($job->{errorLog});
    for my $kind (sort keys %before) {
        my @after = @{ $t->get(path($kind))->{json} };
        delete $_->{lastUpdate} for @after, @{ $before{$kind} };
        is_deeply(\@after, $before{$kind}, "$kind as before");
    }
};

# A rule that the database has and we have not.
subtest 'what the database refuses' => sub {
    $t->sql('alter table service_candidate add constraint of_a_test'
            . " check (id <> 'Refused')");
    my @some = map { {
        '@type' => 'ServiceCandidate', id => $_, name => $_,
        serviceSpecification => { id => 'Spec' }
    } } 'Accepted', 'Refused';
    my $job = import_file(\@some);
    is_done($job, 'Failed', '2/0/0', 'ends the job');
    like($job->{errorLog}, qr/of_a_test/, 'and says why');
    is_error($t->get(path('serviceCandidate', 'Accepted')), 404,
        'of that step nothing is stored');
    $t->sql('alter table service_candidate drop constraint of_a_test');
    is_done(import_file(\@some), 'Succeeded', '2/2/0', 'the next one runs');
};

subtest 'the keeper dies while it fetches' => sub {
    $peer->forget;
    $peer->answer('hang');
    my $job = job('importJob', url => $peer->url);
    $t->wait_for(WAIT, sub { $peer->attempts == 1 }, 'asked for');
    $peer->answer(200, ':body' => $json->encode([ category('Late') ]));
    $t->kill9('keeper');
    is_done(job_end('importJob', $job->{id}), 'Succeeded', '1/1/0',
        'begun again');
    is($t->get(path('serviceCategory', 'Late'))->{status}, 200, 'and done');
};

# Somebody holds a document of the second step, so that the keeper is killed
# with the first one done and the second one's outcome open.
subtest 'the keeper dies in the midst of an import' => sub {
    my @many = map { category(sprintf 'Z.%04d', $_) } 0 .. 699;
    is($t->post(path('serviceCategory'), { %{ $many[300] }, name => 'old' })
            ->{status}, 201, 'one is there');
    open my $psql, '|-', 'psql', '-AtXq', '-v', 'ON_ERROR_STOP=1', '-h',
        $t->sockets, '-U', 'turnup', '-d', 'turnup', '-o', '/dev/null'
        or die "psql: $!\n";
    $psql->autoflush;
    print {$psql} "BEGIN; SELECT 1 FROM service_category"
        . " WHERE id = 'Z.0300' FOR UPDATE;\n";
    my $waits = sub {
        return $t->sql('select count(*) from pg_stat_activity'
                . " where wait_event_type = 'Lock'");
    };
    $t->wait_for(WAIT, sub {
        $t->sql("select count(*) from pg_locks l join pg_class c"
                . " on c.oid = l.relation where c.relname ="
                . " 'service_category' and l.mode = 'RowShareLock'") > 0
    }, 'held');
    my $job = job('importJob', url => file('many.json', \@many));
    $t->wait_for(WAIT, sub { $waits->() > 0 }, 'it waits');
    my $now = read_job('importJob', $job->{id});
    is_done($now, 'Running', '700/256/0', 'part of it is done');
    my $pid = $t->kill9('keeper');
    $t->wait_for(WAIT, sub { ($t->pid_of('keeper') // $pid) != $pid },
        'started again');
    is(read_job('importJob', $job->{id})->{status}, 'Running', 'open');
    print {$psql} "COMMIT;\n";
    ok(close($psql), 'let go');
    is_done(job_end('importJob', $job->{id}), 'Succeeded', '700/700/0', 'done');
    is($t->sql("select count(*) from service_category where id like 'Z.%'"
            . " and doc->>'name' = id"), 700, 'all of it');
    $t->wait_for(WAIT, sub { types_told('Z.0699') }, 'told');
    my %told;
    $told{ $_->{eventType} }{ resource($_)->{id} }++
        for grep { resource($_)->{id} =~ /^Z\./ } $hub->events;
    is(keys %{ $told{ServiceCategoryCreateEvent} }, 700, 'of each');
    is_deeply([ keys %{ $told{ServiceCategoryChangeEvent} } ], ['Z.0300'],
        'one was changed');
    is((grep { $_ > 1 } map { values %$_ } values %told), 0, 'once');
};

# Stopped cleanly with a job in hand: it is left as it is.
subtest 'turnup is stopped while a job runs' => sub {
    $peer->forget;
    $peer->answer('hang');
    my $job = job('importJob', url => $peer->url, path => 'serviceCategory');
    $t->wait_for(WAIT, sub { $peer->attempts == 1 }, 'asked for');
    ok($t->down, 'down');
    $peer->answer(200, ':body' => '[{"name":"After","id":"After"}]');
    $t->up;
    is_done(job_end('importJob', $job->{id}), 'Succeeded', '1/1/0',
        'done when it is up again');
};

$t->stop;
done_testing;
