/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's receiver finds the ends of requests and the headers it looks at. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/bench_callback.h"

#define HEAD                                                                                \
    "POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nWebhook-Id:  abc\r\nwebhook-timestamp: 17\r\n" \
    "webhook-signature: v1,x\r\nContent-Length: 4\r\n\r\n"

Test(bench_request, one_that_is_not_complete_is_left_as_it_was)
{
    static const char all[] = HEAD "bodyPOST";

    for (size_t n = 0; n < sizeof(HEAD) - 1 + 4; n++) {
        char data[sizeof all];
        struct received got;
        memcpy(data, all, sizeof all);
        cr_assert(received_parse(data, n, &got));
        cr_assert_eq(got.size, 0, "%zu bytes", n);
        cr_assert_arr_eq(data, all, sizeof all);
    }
}

Test(bench_request, headers_and_body_are_found_and_the_next_one_is_not_touched)
{
    char data[] = HEAD "bodyPOST";
    struct received got;

    cr_assert(received_parse(data, sizeof data - 1, &got));
    cr_assert_eq(got.size, sizeof(HEAD) - 1 + 4);
    cr_assert_str_eq(got.id, "abc");
    cr_assert_str_eq(got.timestamp, "17");
    cr_assert_str_eq(got.signature, "v1,x");
    cr_assert_eq(got.body_n, 4);
    cr_assert_arr_eq(got.body, "body", 4);
    cr_assert_str_eq(data + got.size, "POST");
}

Test(bench_request, what_is_missing_is_null_and_a_body_too_large_is_refused)
{
    char none[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char large[] = "POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n";
    struct received got;

    cr_assert(received_parse(none, sizeof none - 1, &got));
    cr_assert_eq(got.size, sizeof none - 1);
    cr_assert_null(got.id);
    cr_assert_null(got.signature);
    cr_assert_eq(got.body_n, 0);
    cr_assert_not(received_parse(large, sizeof large - 1, &got));
}
