/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes webhook_keys_parse, webhook_verify, base64_decode and header_file_parse: the input is a file of headers, whose
 * own values serve as key, id, timestamp and signature. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/webhook.h"
#include "http/header_file.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = {0};
    CLEANUP(header_file_done) struct header_file file;
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = NULL;
    if (header_file_parse((const char *)data, n, &file, &err) == RC_OK) {
        const struct webhook_message msg = {.id = header_file_get(&file, "i", NULL),
                                            .timestamp = header_file_get(&file, "t", NULL),
                                            .signature = header_file_get(&file, "s", NULL),
                                            .body = data,
                                            .body_n = n};
        const char *text = header_file_get(&file, "k", NULL);
        if (webhook_keys_parse(text == NULL ? SECRET : text, &keys, &err) == RC_OK) {
            (void)webhook_verify(keys, &msg, 1614265330, 1 << 30);
        }
    }
    return 0;
}
