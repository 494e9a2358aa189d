/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of nodes that have no code, or one that no table has. */
#include <string.h>

#include "base/mem.h"
#include "carrier/status.h"

/* The first that is in the text. What contradicts stands before what it contradicts: "undelivered", "not to be
 * delivered, returned to sender", "delivered, signed by the person; the courier's number is". */
static const struct {
    const char *phrase;
    enum express_status status;
} PHRASES[] = {
    {"退回签收", EXPRESS_RETURNED},
    {"退件签收", EXPRESS_RETURNED},
    {"退回", EXPRESS_RETURNED},
    {"退件", EXPRESS_RETURNED},
    {"退签", EXPRESS_RETURNED},
    {"拒收", EXPRESS_EXCEPTION},
    {"拒签", EXPRESS_EXCEPTION},
    {"未妥投", EXPRESS_EXCEPTION},
    {"派送不成功", EXPRESS_EXCEPTION},
    {"投递失败", EXPRESS_EXCEPTION},
    {"无法联系", EXPRESS_EXCEPTION},
    {"问题件", EXPRESS_EXCEPTION},
    {"疑难", EXPRESS_EXCEPTION},
    {"异常", EXPRESS_EXCEPTION},
    {"滞留", EXPRESS_EXCEPTION},
    {"破损", EXPRESS_EXCEPTION},
    {"已签收", EXPRESS_DELIVERED},
    {"签收人", EXPRESS_DELIVERED},
    {"本人签收", EXPRESS_DELIVERED},
    {"代签收", EXPRESS_DELIVERED},
    {"已妥投", EXPRESS_DELIVERED},
    {"取件成功", EXPRESS_DELIVERED},
    {"清关", EXPRESS_CUSTOMS},
    {"海关", EXPRESS_CUSTOMS},
    {"派件", EXPRESS_OUT_FOR_DELIVERY},
    {"派送", EXPRESS_OUT_FOR_DELIVERY},
    {"配送中", EXPRESS_OUT_FOR_DELIVERY},
    {"正在投递", EXPRESS_OUT_FOR_DELIVERY},
    {"快递柜", EXPRESS_OUT_FOR_DELIVERY},
    {"驿站", EXPRESS_OUT_FOR_DELIVERY},
    {"待取件", EXPRESS_OUT_FOR_DELIVERY},
    {"揽收", EXPRESS_COLLECTED},
    {"揽件", EXPRESS_COLLECTED},
    {"已收件", EXPRESS_COLLECTED},
    {"已收取", EXPRESS_COLLECTED},
    {"收寄", EXPRESS_COLLECTED},
    {"undeliver", EXPRESS_EXCEPTION},
    {"not delivered", EXPRESS_EXCEPTION},
    {"delivery failed", EXPRESS_EXCEPTION},
    {"exception", EXPRESS_EXCEPTION},
    {"return to sender", EXPRESS_RETURNED},
    {"returned", EXPRESS_RETURNED},
    {"out for delivery", EXPRESS_OUT_FOR_DELIVERY},
    {"delivered", EXPRESS_DELIVERED},
    {"signed for", EXPRESS_DELIVERED},
    {"customs", EXPRESS_CUSTOMS},
    {"picked up", EXPRESS_COLLECTED},
    {"collected", EXPRESS_COLLECTED},
};

bool status_in_text(const char *text, enum express_status *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(PHRASES); i++) {
        if (strcasestr(text, PHRASES[i].phrase) != NULL) {
            *out = PHRASES[i].status;
            return true;
        }
    }
    return false;
}

enum express_status status_of_text(const char *text)
{
    enum express_status status = EXPRESS_IN_TRANSIT;
    (void)status_in_text(text, &status);
    return status;
}
