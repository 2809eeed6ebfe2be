"""Answers of turnup against the definitions.

    validate.py DEFINITIONS ANSWERS

DEFINITIONS: {"published": {API: path of a file}, "own": {API: document}};
of an API in another version than v4, API is its name/version.
ANSWERS: {"method", "path", "status", "headers", "content"}, one JSON a line.
Prints a line for each fault.

A validator of another hand (python3-jsonschema), so that neither the tables
nor their printing are judge of themselves. Swagger 2 and OpenAPI 3.0 schemas
are nearly JSON Schema draft 4; null counts as absent, as in a merge-patch.
"""
import json
import re
import sys
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import yaml
from jsonschema import Draft4Validator, FormatChecker

SHOWN = 300  # characters of a fault

# What is answered on purpose in another way, and why; see t/contract.t too.
# Each has to change something, else it is a fault of its own.
AMENDMENTS = {
    'serviceOrdering': [
        # shown but for tmf_state_profile strict
        ('value', 'ServiceOrderStateType', 'pendingExternal'),
        ('value', 'ServiceOrderItemStateType', 'pendingExternal'),
        # what the published life cycle says for "accepted"
        ('value', 'TaskStateType', 'acknowledged'),
        # a defect: it has no id
        ('optional', 'ServiceOrderItemRef', 'id'),
        # neither its samples nor the two other APIs have it
        ('optional', 'RelatedParty', '@type'),
    ],
    'serviceInventory': [
        # of v5: an activation may suspend a service
        ('value', 'ServiceStateType', 'suspended'),
    ],
}

# Of both: a service is shown with what TMF641 let its order say of it, where
# TMF638 asks who creates one for more.
LAXER = {
    'serviceInventory': [
        ('optional', 'Note', 'author'),
        ('optional', 'Note', 'date'),
        ('optional', 'Feature', 'id'),
        ('optional', 'RelatedServiceOrderItem', 'itemId'),
        ('optional', 'RelatedServiceOrderItem', 'serviceOrderId'),
        ('optional', 'ServiceRelationship', 'service'),
        ('optional', 'ServiceRefOrValue', 'id'),
    ],
}

formats = FormatChecker(formats=())


@formats.checks('date-time')
def is_date_time(value):
    """RFC 3339, the offset "+0000" too."""
    if not isinstance(value, str):
        return True
    found = re.fullmatch(r'(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?'
                         r'([Zz]|[+-]\d\d:?\d\d)', value)
    if not found or int(found[3]) > 60:
        return False
    try:
        datetime.strptime(found[1] + ' ' + found[2], '%Y-%m-%d %H:%M')
    except ValueError:
        return False
    return True


def amend(definitions, amendments):
    for kind, name, what in amendments:
        definition = definitions[name]
        if kind == 'value':
            assert what not in definition['enum'], f'{name} has {what}'
            definition['enum'].append(what)
        else:
            definition['required'].remove(what)
            if not definition['required']:
                del definition['required']


class Published:
    """A Swagger 2 definition."""

    def __init__(self, api, path):
        with open(path, encoding='utf-8') as file:
            self.root = json.load(file)
        amend(self.root['definitions'],
              AMENDMENTS.get(api, []) + LAXER.get(api, []))
        self.error = {'$ref': '#/definitions/Error'}

    def schema(self, path, method, status):
        """Of an answer with success: a schema, None for no body; KeyError:
        there is no such answer."""
        answers = self.root['paths'][path][method]['responses']
        status = '200' if status == '206' else status  # TMF630
        return answers[status].get('schema')


def any_of(value):
    """Where @type tells alternatives apart, JSON Schema cannot: a reference
    is a service without a specification, too."""
    if isinstance(value, dict):
        return {'anyOf' if k == 'oneOf' and 'discriminator' in value else k:
                any_of(v) for k, v in value.items()}
    if isinstance(value, list):
        return [any_of(v) for v in value]
    return value


class PublishedV5:
    """An OpenAPI 3.0 document of TM Forum's."""

    def __init__(self, _, path):
        loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
        with open(path, encoding='utf-8') as file:
            self.root = any_of(yaml.load(file, loader))
        self.error = {'$ref': '#/components/schemas/Error'}

    def schema(self, path, method, status):
        answers = self.root['paths'][path][method]['responses']
        status = '200' if status == '206' else status  # TMF630
        answer = answers[status]
        if '$ref' in answer:
            name = answer['$ref'].rsplit('/', 1)[1]
            answer = self.root['components']['responses'][name]
        content = answer.get('content')
        return content and content['application/json']['schema']


def published(api, path):
    return (PublishedV5 if path.endswith('.yaml') else Published)(api, path)


class Own:
    """The OpenAPI document that turnup serves."""

    def __init__(self, api, document):
        self.root = document
        amend(self.root['components']['schemas'], LAXER.get(api, []))
        self.error = {'$ref': '#/components/schemas/Error'}

    def schema(self, path, method, status):
        answer = self.root['paths'][path][method]['responses'][status]
        content = answer.get('content')
        return content and content['application/json']['schema']


def without_null(value):
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_null(v) for v in value]
    return value


class Checker:
    """One definition, and what was found right by it."""

    def __init__(self, definition):
        self.definition = definition
        self.right = set()
        self.validators = {}

    def validator(self, schema):
        key = json.dumps(schema)
        if key not in self.validators:
            root = dict(self.definition.root)
            root.pop('$ref', None)
            self.validators[key] = Draft4Validator(
                {**root, 'allOf': [schema]}, format_checker=formats)
        return key, self.validators[key]

    def faults(self, schema, body, partly=False):
        """Of a list each element, each shape once. partly: of what is inside
        of attributes only some was asked for."""
        if schema.get('type') == 'array' and isinstance(body, list):
            for i, element in enumerate(body):
                for where, text in self.faults(schema['items'], element,
                                               partly):
                    yield f'/{i}{where}', text
            return
        key, validator = self.validator(schema)
        text = key + json.dumps(body)
        if text in self.right:
            return
        good = True
        for error in validator.iter_errors(body):
            good = False
            if (partly and error.validator == 'required'
                    and error.absolute_path):
                continue
            where = ''.join(f'/{step}' for step in error.absolute_path)
            yield where, error.message[:SHOWN]
        if good:
            self.right.add(text)


def faults_of_error(checker, answer, body):
    yield from checker.faults(checker.definition.error, body)
    if isinstance(body, dict) and body.get('status') != answer['status']:
        yield '/status', f'{body.get("status")}'


def faults_of_headers(answer, body):
    headers = answer['headers']
    if not headers.get('content-type', '').startswith('application/json'):
        yield 'content-type', f'{headers.get("content-type")}'
    if answer['status'] == '201' and not headers.get('location'):
        yield 'location', 'none'
    if answer['status'] in ('200', '206') and isinstance(body, list):
        if headers.get('x-result-count') != str(len(body)):
            yield 'x-result-count', f'{headers.get("x-result-count")}'
        # where too many match to be counted, the range says so
        counted = not headers.get('content-range', '').endswith('/*')
        if counted and not re.fullmatch(r'\d+',
                                        headers.get('x-total-count', '')):
            yield 'x-total-count', f'{headers.get("x-total-count")}'


def selects_inside(path):
    """Does fields= name an attribute of an attribute?"""
    asked = parse_qs(urlsplit(path).query).get('fields', [])
    return any('.' in name for name in ','.join(asked).split(','))


def faults(checker, answer):
    status, method = answer['status'], answer['method'].lower()
    if status in ('304', '204') or method == 'head':
        if answer['content']:
            yield '', 'has a body'
        return
    try:
        body = without_null(json.loads(answer['content']))
    except ValueError:
        yield '', 'is no JSON'
        return
    yield from faults_of_headers(answer, body)
    if status >= '400':
        yield from faults_of_error(checker, answer, body)
        return
    path = urlsplit(answer['path']).path.split('/')[4:]
    template = '/' + path[0] + ('/{id}' if len(path) > 1 else '')
    try:
        schema = checker.definition.schema(template, method, status)
    except KeyError:
        yield '', 'this status of this operation is not defined'
        return
    if schema is None:
        yield '', 'has a body'
        return
    yield from checker.faults(schema, body, selects_inside(answer['path']))


def api_of(path, checkers):
    """Errors of no API are measured by any; what is served in a version that
    there is no definition of, by nothing."""
    name, version = (urlsplit(path).path.split('/') + [''] * 3)[2:4]
    if name not in checkers:
        return 'serviceOrdering'
    return name if version in ('', 'v4') else f'{name}/{version}'


def main(definitions, answers):
    with open(definitions, encoding='utf-8') as file:
        roots = json.load(file)
    by = {kind: {api: Checker(make(api, root))
                 for api, root in roots.get(kind, {}).items()}
          for kind, make in (('published', published), ('own', Own))}
    with open(answers, encoding='utf-8') as file:
        for line in file:
            answer = json.loads(line)
            for kind, checkers in by.items():
                checker = checkers.get(api_of(answer['path'], checkers))
                for where, text in faults(checker, answer) if checker else ():
                    print(f'{kind}: {answer["method"]} {answer["path"]}'
                          f' {answer["status"]}: {where} {text}')


main(*sys.argv[1:])
