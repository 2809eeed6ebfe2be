# Turnup::Definitions: the published v4 definitions (Swagger 2, beside the
# repository in ../shared/tmf), and how an OpenAPI document of ours differs.
#
#   use Turnup::Definitions;
#   my $published = published('serviceOrdering') or skip ...;
#   my @differences = differences($published, $ours);
#
# A difference is one line: what it is about, a colon, what ours says and the
# published one does not. Compared are: operations, their success codes,
# parameters and headers; of every type that a served resource leads to, its
# attributes with type, list, date-time, enumeration and least length, which of
# them are mandatory, settable on create and on patch. Other formats (uri,
# base64) are remarks and not compared.
package Turnup::Definitions;
use v5.32;
use strict;
use warnings;
use Cwd            qw(abs_path);
use Exporter       qw(import);
use File::Basename qw(dirname);
use JSON::PP;

our @EXPORT = qw(definitions_dir definitions_files published differences);

my $root = dirname(dirname(dirname(dirname(abs_path(__FILE__)))));

my %file = (
    serviceOrdering          => 'TMF641-ServiceOrdering-v4.1.0.swagger.json',
    serviceInventory         => 'TMF638-ServiceInventory-v4.0.0.swagger.json',
    serviceCatalogManagement => 'TMF633-ServiceCatalog-v4.0.0.swagger.json',
);

my %newer = (    # by name/version
    'serviceInventory/v5' =>
        'TMF638-Service_Inventory_Management-v5.0.0.oas.yaml',
);

# Where they are, or nothing.
sub definitions_dir {
    my $dir = "$root/../shared/tmf";
    return (grep { !-e "$dir/$_" } values %file, values %newer)
        ? undef
        : $dir;
}

# API => path.
sub definitions_files {
    my $dir = definitions_dir() // return;
    my %all = (%file, %newer);
    return map { $_ => "$dir/$all{$_}" } keys %all;
}

sub published {
    my ($api) = @_;
    my $dir = definitions_dir() // return;
    open my $in, '<:raw', "$dir/$file{$api}" or die "$file{$api}: $!\n";
    local $/ = undef;
    return JSON::PP->new->utf8->decode(<$in>);
}

sub differences {
    my ($theirs, $ours) = @_;
    my $self = {
        theirs => $theirs,
        ours   => $ours,
        found  => {},
        seen   => {},
    };
    my %served;
    for my $path (keys %{ $ours->{paths} }) {
        $served{ $path =~ s{/\{id\}}{}r } = 1;
    }
    for my $path (keys %{ $ours->{paths} }, keys %{ $theirs->{paths} }) {
        next if $path =~ m{^/listener/} || !$served{ $path =~ s{/\{id\}}{}r };
        operations($self, $path) if !$self->{seen}{"path $path"}++;
    }
    types($self, 'Error', 'Error');
    return sort keys %{ $self->{found} };
}

sub found {
    my ($self, $about, $what) = @_;
    $self->{found}{"$about: $what"} = 1;
}

# What only one of two lists has.
sub compare {
    my ($self, $about, $what, $theirs, $ours) = @_;
    my %theirs = map { $_ => 1 } @$theirs;
    my %ours   = map { $_ => 1 } @$ours;
    found($self, $about, "no $what $_") for grep { !$ours{$_} } keys %theirs;
    found($self, $about, "$what $_")    for grep { !$theirs{$_} } keys %ours;
}

sub operations {
    my ($self,   $path) = @_;
    my ($theirs, $ours) = map { $self->{$_}{paths}{$path} } qw(theirs ours);
    my @methods = qw(get post patch put delete);
    compare(
        $self, $path, 'method',
        [ map {uc} grep { $theirs->{$_} } @methods ],
        [ map {uc} grep { $ours->{$_} } @methods ]
    );
    for my $method (grep { $theirs->{$_} && $ours->{$_} } @methods) {
        operation($self, uc($method) . " $path",
            $theirs->{$method}, $ours->{$method});
    }
}

sub operation {
    my ($self, $about, $theirs, $ours) = @_;
    my ($their_body) = grep { $_->{in} eq 'body' }
        @{ $theirs->{parameters} // [] };
    my @success = map { [ grep {/^2/} keys %{ $_->{responses} } ] } $theirs,
        $ours;
    compare($self, $about, 'status', @success);
    compare(
        $self, $about,
        'parameter',
        [
            map  { $_->{name} }
            grep { $_->{in} eq 'query' } @{ $theirs->{parameters} // [] }
        ],
        [
            grep { !/^(?:id|if|idempotency|sort|filter)/ }
            map  { name_of($_->{'$ref'}) } @{ $ours->{parameters} // [] }
        ]
    );
    if ($their_body) {
        types(
            $self,
            name_of($their_body->{schema}{'$ref'}),
            name_of(
                $ours->{requestBody}{content}{'application/json'}{schema}
                    {'$ref'}
            )
        );
    }
    for my $status (grep { $ours->{responses}{$_} } @{ $success[0] }) {
        my ($their, $our) = map { $_->{responses}{$status} } $theirs, $ours;
        answer($self, "$about $status", $their, $our);
    }
}

sub answer {
    my ($self, $about, $theirs, $ours) = @_;
    my $their_type = $theirs->{schema};
    my $our_type   = $ours->{content}{'application/json'}{schema};
    my @kinds = map { $_ ? (kind($self, $_))[0] : 'nothing' }
        ($their_type, $our_type);
    found($self, $about, "$kinds[1] in place of $kinds[0]")
        if $kinds[0] ne $kinds[1];
    my $have = $ours->{headers} // {};
    found($self, $about, "no header $_")
        for grep { !$have->{$_} } keys %{ $theirs->{headers} // {} };
    my @names = map { name_of($_->{'$ref'} // $_->{items}{'$ref'}) }
        grep {$_} $their_type, $our_type;
    types($self, @names, 1) if @names == 2;
}

sub name_of { return defined $_[0] ? $_[0] =~ s{.*/}{}r : undef }

# A type under its two names. whole: the answer's outermost, of which the
# published definitions demand nothing, but TMF630 id and href.
sub types {
    my ($self, $their_name, $our_name, $outermost) = @_;
    return if $self->{seen}{"type $their_name"}++;
    my $theirs = $self->{theirs}{definitions}{$their_name};
    my $ours   = $self->{ours}{components}{schemas}{ $our_name // '' };
    if (!$ours || $our_name ne $their_name) {
        found($self, $their_name, 'is not there');
        return;
    }
    my ($their_attrs, $our_attrs) = map { $_->{properties} // {} } $theirs,
        $ours;
    compare(
        $self, $their_name, 'attribute',
        [ keys %$their_attrs ],
        [ keys %$our_attrs ]
    );
    my @always = $outermost ? grep { $their_attrs->{$_} } qw(id href) : ();
    compare($self, $their_name, 'mandatory',
        [ @{ $theirs->{required} // [] }, @always ],
        $ours->{required} // []);
    for my $name (grep { $our_attrs->{$_} } keys %$their_attrs) {
        attribute($self, "$their_name.$name", $their_attrs->{$name},
            $our_attrs->{$name});
    }
}

sub attribute {
    my ($self, $about, $theirs, $ours) = @_;
    my ($their_kind, @their_values) = kind($self, $theirs);
    my ($our_kind,   @our_values)   = kind($self, $ours);
    found($self, $about, "$our_kind in place of $their_kind")
        if $their_kind ne $our_kind;
    compare($self, $about, 'value', \@their_values, \@our_values);
    my ($their_type) = $their_kind =~ /^([A-Z]\w+)/;
    types($self, $their_type, $their_type)
        if defined $their_type && $their_kind eq $our_kind;
}

# "string", "date-time[]", "Note[1..]", and the values of an enumeration.
sub kind {
    my ($self, $schema) = @_;
    $schema = $schema->{allOf}[0] if $schema->{allOf};
    if (($schema->{type} // '') eq 'array') {
        my ($kind, @values) = kind($self, $schema->{items});
        my $least = $schema->{minItems};
        return ($kind . ($least ? "[$least..]" : '[]'), @values);
    }
    if (my $name = name_of($schema->{'$ref'})) {
        my $type = $self->{theirs}{definitions}{$name};
        return 'anything' if $name eq 'Any';
        return ('string', @{ $type->{enum} }) if $type && $type->{enum};
        return $name;
    }
    my $kind = $schema->{type} // 'anything';
    $kind = 'date-time' if ($schema->{format} // '') eq 'date-time';
    return ($kind, grep {defined} @{ $schema->{enum} // [] });
}

1;
