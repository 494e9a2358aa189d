/* SPDX-License-Identifier: Apache-2.0 */
/* Targets, routes, pages, problems. */
#include "http/route.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "http/page.h"
#include "http/problem.h"

static struct arena arena;
static struct route_target target;
static struct problem problem;
static struct buf out;

static void setup(void)
{
    arena_init(&arena, 4096);
    buf_init(&out, 4096);
}

static void teardown(void)
{
    arena_done(&arena);
    buf_done(&out);
}

TestSuite(route, .init = setup, .fini = teardown);
TestSuite(page, .init = setup, .fini = teardown);
TestSuite(problem, .init = setup, .fini = teardown);

static const struct route_key ROWS[] = {
    {"POST", "/v1/transfers"},      {"GET", "/v1/transfers/{id}"}, {"POST", "/v1/transfers/{id}/confirm"},
    {"POST", "/v1/transfers/{id}"}, {"GET", "/v1/{kind}/of/{id}"}, {"GET", "/"}};

static enum route_result find(const char *method, const char *text, size_t *at, char allow[ROUTE_ALLOW_MAX])
{
    cr_assert(route_target_parse(text, &arena, &target), "%s", text);
    return route_find(ROWS, ARRAY_SIZE(ROWS), sizeof ROWS[0], method, &target, at, allow);
}

Test(route, a_target_is_cut_before_it_is_decoded)
{
    cr_assert(
        route_target_parse("/v1/a%2Fb%20c/%C3%A9?from=2026-01-01T00:00:00+08:00&x=%26&empty&e2=", &arena, &target));
    cr_assert_eq(target.n_segments, 3);
    cr_assert_str_eq(target.segments[1], "a/b c");
    cr_assert_str_eq(target.segments[2], "\xc3\xa9");
    cr_assert_str_eq(target.path, "/v1/a%2Fb%20c/%C3%A9");
    cr_assert_str_eq(route_parameter(&target, "from"), "2026-01-01T00:00:00+08:00");
    cr_assert_str_eq(route_parameter(&target, "x"), "&");
    cr_assert_str_eq(route_parameter(&target, "empty"), "");
    cr_assert_str_eq(route_parameter(&target, "e2"), "");
    cr_assert_null(route_parameter(&target, "nothing"));
}

Test(route, broken_targets_are_refused)
{
    static const char *const bad[] = {
        "",       "v1",         "*",        "http://a/b", "/a%",
        "/a%2",   "/%zz",       "/%00",     "/%0a",       "/%ff",
        "/a?b=%", "/a?b=1&b=2", "/a?b=%0d", "/a?%00=1",   "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_not(route_target_parse(bad[i], &arena, &target), "row %zu: %s", i, bad[i]);
    }
    static char longer[TARGET_BYTES_MAX + 3];
    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    cr_assert_not(route_target_parse(longer, &arena, &target));
}

Test(route, method_and_path_choose_the_row)
{
    char allow[ROUTE_ALLOW_MAX];
    const char *ids[TARGET_SEGMENTS_MAX];
    size_t at = 99;
    cr_assert_eq(find("POST", "/v1/transfers", &at, allow), ROUTE_FOUND);
    cr_assert_eq(at, 0);
    cr_assert_eq(find("HEAD", "/v1/transfers/x", &at, allow), ROUTE_FOUND);
    cr_assert_eq(at, 1);
    cr_assert_eq(find("POST", "/v1/transfers/x/confirm", &at, allow), ROUTE_FOUND);
    cr_assert_eq(at, 2);
    cr_assert_eq(find("GET", "/v1/a/of/b%2Fc", &at, allow), ROUTE_FOUND);
    cr_assert_eq(at, 4);
    cr_assert(route_match(ROWS[at].pattern, &target, ids, TARGET_SEGMENTS_MAX));
    cr_assert_str_eq(ids[route_id_index(ROWS[at].pattern, "kind")], "a");
    cr_assert_str_eq(ids[route_id_index(ROWS[at].pattern, "id")], "b/c");
    cr_assert_eq(route_id_index(ROWS[at].pattern, "i"), -1);
    cr_assert_eq(find("DELETE", "/v1/transfers/x", &at, allow), ROUTE_NO_METHOD);
    cr_assert_str_eq(allow, "GET, HEAD, POST");
    static const char *const none[] = {
        "/v1",           "/v1/transfers/",         "/v1/transfers//confirm", "/v1/transfers/x/confirm/",
        "/v1/Transfers", "/v1/transfers/x/confir", "//v1/transfers",         "/v1/transfers/x/y/z"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        cr_assert_eq(find("GET", none[i], &at, allow), ROUTE_NO_PATH, "%s", none[i]);
    }
    cr_assert_eq(find("GET", "/", &at, allow), ROUTE_FOUND);
    cr_assert_eq(at, 5);
}

Test(route, a_parameter_that_is_not_known_is_found)
{
    static const char *const known[] = {"limit", "from", NULL};
    cr_assert(route_target_parse("/f?from=1&limit=2", &arena, &target));
    cr_assert_null(route_parameter_unknown(&target, known));
    cr_assert_str_eq(route_parameter_unknown(&target, NULL), "from");
    cr_assert(route_target_parse("/f?limit=2&From=1&to=3", &arena, &target));
    cr_assert_str_eq(route_parameter_unknown(&target, known), "From");
    cr_assert(route_target_parse("/f?=1", &arena, &target));
    cr_assert_str_eq(route_parameter_unknown(&target, known), "");
    cr_assert(route_target_parse("/f", &arena, &target));
    cr_assert_null(route_parameter_unknown(&target, NULL));
}

Test(page, a_cursor_comes_back_as_the_key)
{
    struct page page;
    cr_assert(route_target_parse("/f?limit=7&from=a%26b&cursor=x", &arena, &target));
    page_link(&target, "0|12", &out);
    cr_assert_str_eq(buf_str(&out), "</f?cursor=1307c3132&limit=7&from=a%26b>; rel=\"next\"");
    cr_assert(route_target_parse("/f?cursor=1307c3132&limit=7", &arena, &target));
    cr_assert(page_parse(&target, &page, &problem), "%s", problem.detail);
    cr_assert_eq(page.limit, 7);
    cr_assert(page.has_after);
    cr_assert_str_eq(page.after, "0|12");
    cr_assert(route_target_parse("/f", &arena, &target));
    cr_assert(page_parse(&target, &page, &problem));
    cr_assert_eq(page.limit, PAGE_LIMIT_DEFAULT);
    cr_assert_not(page.has_after);
}

Test(page, limits_and_cursors_are_checked)
{
    static const char *const bad[] = {"/f?limit=0",      "/f?limit=1001",   "/f?limit=",     "/f?limit=1e2",
                                      "/f?limit=-1",     "/f?cursor=",      "/f?cursor=1",   "/f?cursor=13",
                                      "/f?cursor=2307c", "/f?cursor=130g0", "/f?cursor=100", "/f?cursor=1ff",
                                      "/f?cursor=1307C"};
    struct page page;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        problem = (struct problem){0};
        cr_assert(route_target_parse(bad[i], &arena, &target));
        cr_assert_not(page_parse(&target, &page, &problem), "row %zu", i);
        cr_assert_eq(problem.status, 400);
        cr_assert_str_eq(problem.field, i < 5 ? "limit" : "cursor");
    }
    char longer[2 * PAGE_KEY_MAX + 40] = "/f?cursor=1";
    memset(longer + 11, '3', 2 * PAGE_KEY_MAX + 2);
    cr_assert(route_target_parse(longer, &arena, &target));
    cr_assert_not(page_parse(&target, &page, &problem));
}

Test(problem, the_first_one_counts_and_is_json)
{
    problem_set(&problem, 422, "insufficient_funds", "debit", "%s", "a \"quoted\" one");
    problem_set(&problem, 400, "other", NULL, "later");
    problem_json(&problem, "/v1/transfers", &out);
    cr_assert_str_eq(
        buf_str(&out),
        "{\"type\": \"urn:sluice:problem:insufficient_funds\", \"title\": \"insufficient funds\", \"status\": 422, "
        "\"code\": \"insufficient_funds\", \"detail\": \"a \\\"quoted\\\" one\", \"field\": \"debit\", "
        "\"instance\": \"/v1/transfers\"}\n");
}
