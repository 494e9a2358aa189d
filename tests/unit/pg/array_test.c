/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays as PostgreSQL reads them. */
#include "pg/array.h"

#include <criterion/criterion.h>

#include "base/mem.h"

Test(array, elements_are_quoted_and_separated)
{
    struct buf b CLEANUP(buf_done);

    buf_init(&b, 1000);
    array_begin(&b);
    array_end(&b);
    cr_expect_str_eq(buf_str(&b), "{}");
    array_begin(&b);
    array_add(&b, "a,{}\"\\ b", 8);
    array_add(&b, "", 0);
    array_add(&b, NULL, 0);
    array_add(&b, "NULL", 4);
    array_add_int(&b, INT64_MIN);
    array_add_null(&b);
    array_end(&b);
    cr_expect_str_eq(buf_str(&b), "{\"a,{}\\\"\\\\ b\",\"\",NULL,\"NULL\",-9223372036854775808,NULL}");
}

Test(array, a_first_null_is_followed_by_a_comma)
{
    struct buf b CLEANUP(buf_done);

    buf_init(&b, 1000);
    array_begin(&b);
    array_add_null(&b);
    array_add_int(&b, 1);
    array_end(&b);
    cr_expect_str_eq(buf_str(&b), "{NULL,1}");
}
