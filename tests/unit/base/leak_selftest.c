/* SPDX-License-Identifier: Apache-2.0 */
/* Leaks on purpose: this test must fail under the sanitizers, or no leaking test would. */
#include <criterion/criterion.h>

#include "base/mem.h"

Test(leak, is_reported)
{
    char *volatile lost = xstrdup("lost");
    cr_assert_not_null(lost);
    lost = NULL;
}
