# turnupd migrate: on an empty database, again, twice at once, over changed
# data, with files that are wrong. Each case in a database of its own, in the
# PostgreSQL of a stack.
use v5.32;
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Path     qw(make_path);
use File::Temp     qw(tempdir);
use Cwd            qw(abs_path);
use POSIX          qw(:sys_wait_h);
use Test::More;
use Turnup;
use Process;

my $root  = dirname(dirname(abs_path(__FILE__)));
my $build = $ENV{TURNUP_BUILD}
    // "$root/build/" . ($ENV{TURNUP_SAN} ? 'san' : 'release');
my $t   = Turnup->start;
my $dir = tempdir('turnup-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $databases = 0;

my %spec = (
    id              => 'Line',
    version         => '1.0',
    name            => 'Line',
    lifecycleStatus => 'Active'
);

# A new database with folders of its own: { name, sql => dir, catalog => dir }.
sub database {
    my (%option) = @_;
    my $name     = 'migrate' . ++$databases;
    my $here     = "$dir/$name";
    $t->sql("create database $name");
    make_path("$here/sql", "$here/catalog");
    my %d = (
        name    => $name,
        here    => $here,
        sql     => "$here/sql",
        catalog => "$here/catalog",
        conf    => "$here/turnup.conf",
        %option
    );
    write_file($d{conf},
              "[turnup]\n"
            . 'postgres = host='
            . $t->sockets
            . " user=turnup dbname=$name\n"
            . "sql = $d{sql}\ncatalog = $d{catalog}\n"
            . "families = $root/conf/families\n");
    return \%d;
}

sub sql_in {
    my ($d, $query) = @_;
    return output('psql', '-AtXq', '-v', 'ON_ERROR_STOP=1', '-h',
        $t->sockets, '-U', 'turnup', '-d', $d->{name}, '-c', $query);
}

sub begin {
    my ($d) = @_;
    state $runs = 0;
    my $log = "$d->{here}/log" . ++$runs;
    my $pid = spawn($log, {}, "$build/turnupd", '-c', $d->{conf}, 'migrate');
    return { log => $log, pid => $pid };
}

# (exit code, what it said)
sub finish {
    my ($run) = @_;
    waitpid $run->{pid}, 0;
    my $code = WIFEXITED($?) ? WEXITSTATUS($?) : "signal " . ($? & 127);
    return ($code, read_file($run->{log}) // '');
}

sub migrate { return finish(begin(@_)) }

# Runs it and expects a refusal that says this; leaves no transaction behind.
sub refused {
    my ($d, $says, $name) = @_;
    my ($code, $said) = migrate($d);
    is($code, 1, "$name: refused");
    like($said, $says, "$name: says why");
}

sub put_spec {
    my ($d, $file, %more) = @_;
    write_file("$d->{catalog}/$file",
        JSON::PP->new->canonical->encode({ %spec, %more }));
}

sub put_pools {
    my ($d, @pools) = @_;
    write_file("$d->{catalog}/pools.json",
        JSON::PP->new->canonical->encode({ resourcePools => \@pools }));
}

my %shipped = (sql => "$root/sql", catalog => "$root/conf/catalog");
my @migrations = map { s{.*/}{}r } sort glob "$root/sql/*.sql";
my $summary    = 'select (select count(*) from schema_migration),'
    . ' (select count(*) from installation),'
    . ' (select count(*) from service_specification),'
    . ' (select count(*) from resource_pool),'
    . ' (select count(*) from resource_allocation)';
my $expected = @migrations . '|1|2|3|210000';

# What is shipped, on an empty database, and again.
{
    my $d = database(%shipped);
    my ($code, $said) = migrate($d);
    is($code, 0, 'an empty database');
    is($said,
        join('', map { "turnupd migrate: applied $_\n" } @migrations),
        'says what it applied');
    is(sql_in($d, $summary), $expected, 'all is there');
    is(sql_in($d, 'select octet_length(secret) from installation'),
        32, 'a secret of 32 bytes');
    is(sql_in($d, "select value from resource_allocation"
            . " where pool = 'number-mobile' order by value limit 1"),
        '+420700000000', 'values of a pool as its file says');

    # What a running system changes stays as it is.
    my $secret = sql_in($d, 'select secret from installation');
    sql_in($d, q{update service_specification set doc = '{"changed":true}'}
            . q{ where id = 'Voip.Line'});
    sql_in($d, q{update service_specification set deleted = true}
            . q{ where id = 'Internet.Service'});
    sql_in($d, q{update resource_allocation set holder = gen_random_uuid()}
            . q{ where value = '+420700000000'});
    ($code, $said) = migrate($d);
    is("$code $said", '0 ', 'once more: nothing to do, nothing said');
    is(sql_in($d, $summary), $expected, 'nothing twice');
    is(sql_in($d, 'select secret from installation'),
        $secret, 'the secret is kept');
    is(sql_in($d, 'select id, deleted, doc from service_specification'
            . ' where id = \'Voip.Line\''),
        'Voip.Line|f|{"changed":true}', 'a changed specification is kept');
    is(sql_in($d, 'select deleted from service_specification'
            . ' where id = \'Internet.Service\''),
        't', 'a deleted one is not brought back');
    is(sql_in($d, 'select count(*) from resource_allocation'
            . ' where holder is not null'),
        1, 'an allocated value stays allocated');
    isnt($secret, $t->sql('select secret from installation'),
        'two installations, two secrets');
}

# Two at once: one does it, the other waits for it.
{
    my $d    = database(%shipped);
    my @runs = map { begin($d) } 1 .. 2;
    my @ends = map { [ finish($_) ] } @runs;
    is_deeply([ map { $_->[0] } @ends ], [ 0, 0 ], 'two at once both succeed');
    is(join('', map { $_->[1] } @ends),
        join('', map { "turnupd migrate: applied $_\n" } @migrations),
        'each migration was applied by one of them');
    is(sql_in($d, $summary), $expected, 'all is there once');
}

# A migration that fails leaves nothing of itself, and what was before it.
{
    my $d = database(catalog => "$root/conf/catalog");
    write_file("$d->{sql}/001_turnup.sql",
        read_file("$root/sql/001_turnup.sql"));
    write_file("$d->{sql}/002_more.sql",
        "create table more (a int);\nselect 1 / 0;\n");
    write_file("$d->{sql}/003_later.sql", "create table later (a int);\n");
    write_file("$d->{sql}/notes.txt",     'not SQL');
    write_file("$d->{sql}/.004_x.sql",    'not SQL');
    refused($d, qr/002_more\.sql: .*division by zero/, 'a bad migration');
    is(sql_in($d, 'select string_agg(name, \',\') from schema_migration'),
        '001_turnup.sql', 'the one before it is applied');
    is(sql_in($d, q{select to_regclass('more'), to_regclass('later')}),
        '|', 'nothing of it, nothing after it');
    write_file("$d->{sql}/002_more.sql", "create table more (a int);\n");
    my ($code, $said) = migrate($d);
    is($code, 0, 'repaired, it goes on');
    is($said,
        "turnupd migrate: applied 002_more.sql\n"
            . "turnupd migrate: applied 003_later.sql\n",
        'from where it stopped');
    is(sql_in($d, $summary), '3|1|2|3|210000', 'and all is there');
}

# Files of the catalog that are wrong: each is named.
{
    my $d = database(sql => "$root/sql");
    put_spec($d, 'line.json');
    my ($code) = migrate($d);
    is($code, 0, 'a catalog of one');
    my %bad = (
        'not JSON'         => [ '{"id": "X",',            qr/bad\.json: / ],
        'an empty file'    => [ '',                       qr/bad\.json: / ],
        'a list'           => [ '[]',                     qr/bad\.json: / ],
        'no name'          => [ '{"id":"X","version":"1"}', qr/bad\.json: / ],
        'a name of numbers' =>
            [ '{"id":"X","name":7}', qr/bad\.json: / ],
        'bytes that are no UTF-8' =>
            [ qq({"id":"X","name":"\xff"}), qr/bad\.json: / ],
        'pools that are no list' =>
            [ '{"resourcePools":7}', qr/bad\.json: / ],
        'a regular expression that is none' => [
            '{"id":"X","name":"X","specCharacteristic":'
                . '[{"name":"c","regex":"["}]}',
            qr/bad\.json: .*regular expression/
        ],
        'a pool without a name' =>
            [ '{"resourcePools":[{"from":1,"to":2}]}', qr/needs name/ ],
        'a pool without an end' =>
            [ '{"resourcePools":[{"name":"p","from":1}]}', qr/needs name/ ],
        'a pool from end to start' => [
            '{"resourcePools":[{"name":"p","from":3,"to":2}]}',
            qr/needs name/
        ],
        'a pool of a milliard' => [
            '{"resourcePools":[{"name":"p","from":1,"to":1000000000}]}',
            qr/needs name/
        ],
        'a pool that is a number' =>
            [ '{"resourcePools":[7]}', qr/needs name/ ],
    );
    for my $name (sort keys %bad) {
        my ($text, $says) = @{ $bad{$name} };
        write_file("$d->{catalog}/bad.json", $text);
        refused($d, $says, $name);
        is(sql_in($d, 'select (select count(*) from service_specification),'
                . ' (select count(*) from resource_pool)'),
            '1|0', "$name: nothing of it is stored");
    }
    unlink "$d->{catalog}/bad.json";
    ($code) = migrate($d);
    is($code, 0, 'without them all is well');
}

# Pools grow, and keep what is allocated.
{
    my $d      = database(sql => "$root/sql");
    my $values = q{select string_agg(value, ',' order by value)}
        . q{ from resource_allocation where pool = 'port'};
    my %pool = (name => 'port', kind => 'Port', prefix => 'P', width => 3);
    put_pools($d, { %pool, from => 9, to => 11 }, { name => 'vlan', to => 2 });
    my ($code) = migrate($d);
    is($code, 0, 'pools');
    is(sql_in($d, $values), 'P009,P010,P011', 'values with prefix and width');
    is(sql_in($d, q{select string_agg(value, ',' order by value)}
            . q{ from resource_allocation where pool = 'vlan'}),
        '1,2', 'values without');
    sql_in($d, q{update resource_allocation set holder = gen_random_uuid()}
            . q{ where value = 'P010'});
    put_pools($d, { %pool, kind => 'AccessPort', from => 8, to => 12 });
    ($code) = migrate($d);
    is($code, 0, 'a larger pool');
    is(sql_in($d, $values), 'P008,P009,P010,P011,P012', 'has more values');
    is(sql_in($d, q{select value from resource_allocation}
            . q{ where holder is not null}),
        'P010', 'the allocated one is still allocated');
    is(sql_in($d, q{select kind from resource_pool where name = 'port'}),
        'AccessPort', 'the kind is the new one');
    put_pools($d, { %pool, from => 9, to => 9 });
    ($code) = migrate($d);
    is($code, 0, 'a smaller pool');
    is(sql_in($d, $values),
        'P008,P009,P010,P011,P012', 'takes nothing away');
}

# Nowhere to go, nothing to read.
{
    my $d = database(%shipped);
    my ($code, $said);
    sql_in($d, 'select 1');
    $t->sql("drop database $d->{name}");
    refused($d, qr/PostgreSQL: .*$d->{name}/s, 'no database');
    refused(
        database(%shipped, sql => "$dir/nowhere"),
        qr{nowhere: cannot be read},
        'no folder of migrations'
    );
    refused(
        database(%shipped, catalog => "$dir/nowhere"),
        qr{nowhere: cannot be read},
        'no catalog'
    );
    write_file($d->{conf}, "[turnup]\nnonsense = 1\n");
    ($code, $said) = migrate($d);
    is($code, 2, 'a bad turnup.conf');
    like($said, qr/turnup\.conf:2: no such key/, 'its line is named');
}

$t->stop;
done_testing;
