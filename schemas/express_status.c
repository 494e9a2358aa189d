/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/express_status.h"

#include <stddef.h>
#include <string.h>

/* Customs and a difficulty are stations on the way: the parcel goes on from both. */
static const struct {
    const char *name;
    int rank;
} TABLE[EXPRESS_STATUSES] = {
    [EXPRESS_UNKNOWN] = {"unknown", 0},
    [EXPRESS_COLLECTED] = {"collected", 10},
    [EXPRESS_IN_TRANSIT] = {"in_transit", 20},
    [EXPRESS_CUSTOMS] = {"customs", 20},
    [EXPRESS_OUT_FOR_DELIVERY] = {"out_for_delivery", 30},
    [EXPRESS_EXCEPTION] = {"exception", 20},
    [EXPRESS_DELIVERED] = {"delivered", 40},
    [EXPRESS_RETURNED] = {"returned", 50},
};

const char *express_status_name(enum express_status status)
{
    return TABLE[status].name;
}

enum express_status express_status_find(const char *name)
{
    for (int i = 0; name != NULL && i < EXPRESS_STATUSES; i++) {
        if (strcmp(TABLE[i].name, name) == 0) {
            return (enum express_status)i;
        }
    }
    return EXPRESS_UNKNOWN;
}

int express_status_rank(enum express_status status)
{
    return TABLE[status].rank;
}

bool express_status_final(enum express_status status)
{
    return status == EXPRESS_DELIVERED || status == EXPRESS_RETURNED;
}
