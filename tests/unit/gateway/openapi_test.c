/* SPDX-License-Identifier: Apache-2.0 */
/* docs/openapi.json and the gateway say the same. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/device.h"
#include "gateway/express.h"
#include "gateway/gateway.h"
#include "ledger/code.h"

static json_t *doc;

static void setup(void)
{
    json_error_t why;
    doc = json_load_file(SOURCE_DIR "/docs/openapi.json", JSON_REJECT_DUPLICATES, &why);
    cr_assert_not_null(doc, "%s:%d", why.text, why.line);
}

static void teardown(void)
{
    json_decref(doc);
}

TestSuite(openapi, .init = setup, .fini = teardown);

static const json_t *at(const json_t *from, const char *a, const char *b)
{
    return json_object_get(json_object_get(from, a), b);
}

static const json_t *operation(const char *method, const char *path)
{
    char lower[16] = "";
    for (size_t i = 0; method[i] != '\0'; i++) {
        lower[i] = (char)(method[i] | 0x20);
    }
    return json_object_get(at(doc, "paths", path), lower);
}

struct front {
    const struct service_route *routes;
    const size_t *n;
    const char *more; /* an answer that all its routes have besides; NULL = none */
};
static const struct front FRONT_ROWS[] = {{GATEWAY_ROUTES, &GATEWAY_ROUTES_N, "422"},
                                          {EXPRESS_ROUTES, &EXPRESS_ROUTES_N, NULL},
                                          {DEVICE_ROUTES, &DEVICE_ROUTES_N, "502"}};

static void check_route(const struct service_route *route, const char *more)
{
    const char *const always[] = {"400", "401", "408", "413", "431", "503", more};
    const struct route_key *key = &route->key;
    const json_t *op = operation(key->method, key->pattern);
    cr_assert_not_null(op, "%s %s is not in the file", key->method, key->pattern);
    for (size_t k = 0; k < ARRAY_SIZE(always) && always[k] != NULL; k++) {
        cr_assert_not_null(at(op, "responses", always[k]), "%s %s: %s", key->method, key->pattern, always[k]);
    }
    bool has_body = route->body_bytes > 0;
    cr_assert_eq(json_object_get(op, "requestBody") != NULL, has_body, "%s", key->pattern);
    cr_assert_eq(at(op, "responses", "415") != NULL, route->media != NULL, "%s", key->pattern);
}

Test(openapi, every_route_is_in_the_file_with_the_answers_every_route_has)
{
    for (size_t f = 0; f < ARRAY_SIZE(FRONT_ROWS); f++) {
        for (size_t i = 0; i < *FRONT_ROWS[f].n; i++) {
            check_route(&FRONT_ROWS[f].routes[i], FRONT_ROWS[f].more);
        }
    }
}

static bool is_routed(const char *method, const char *path)
{
    for (size_t f = 0; f < ARRAY_SIZE(FRONT_ROWS); f++) {
        for (size_t i = 0; i < *FRONT_ROWS[f].n; i++) {
            const struct route_key *key = &FRONT_ROWS[f].routes[i].key;
            if (strcmp(key->pattern, path) == 0 && strcasecmp(key->method, method) == 0) {
                return true;
            }
        }
    }
    return false;
}

Test(openapi, every_path_of_the_file_is_routed)
{
    const char *path = NULL;
    const char *method = NULL;
    json_t *item = NULL;
    json_t *op = NULL;
    size_t operations = 0;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_object_foreach(item, method, op)
        {
            if (strcmp(method, "servers") == 0) {
                continue;
            }
            cr_assert(is_routed(method, path), "%s %s is in the file only", method, path);
            operations++;
        }
    }
    cr_assert_eq(operations, GATEWAY_ROUTES_N + EXPRESS_ROUTES_N + DEVICE_ROUTES_N);
}

Test(openapi, every_code_of_the_ledger_is_listed)
{
    const json_t *codes = json_object_get(
        json_object_get(json_object_get(at(json_object_get(doc, "components"), "schemas", "Problem"), "properties"),
                        "code"),
        "enum");
    cr_assert(json_is_array(codes));
    for (int code = CODE_OK + 1; code < LEDGER_CODES; code++) {
        bool found = false;
        size_t i = 0;
        const json_t *name = NULL;
        json_array_foreach(codes, i, name)
        {
            found = found || strcmp(json_string_value(name), ledger_code_name((enum ledger_code)code)) == 0;
        }
        cr_assert(found, "%s", ledger_code_name((enum ledger_code)code));
    }
}

static void check_refs(const json_t *v)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;
    if (json_is_array(v)) {
        json_array_foreach(v, i, member) check_refs(member);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        char kind[64];
        char name[64];
        if (strcmp(key, "$ref") == 0) {
            cr_assert_eq(sscanf(json_string_value(member), "#/components/%63[^/]/%63s", kind, name), 2);
            cr_assert_not_null(at(json_object_get(doc, "components"), kind, name), "%s", json_string_value(member));
        }
        check_refs(member);
    }
}

Test(openapi, nothing_is_referred_to_that_is_not_there)
{
    cr_assert_str_eq(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
    check_refs(doc);
}
