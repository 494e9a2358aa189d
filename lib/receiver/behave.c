/* SPDX-License-Identifier: Apache-2.0 */
/* Reads from a path how to misbehave. */
#include "receiver/behave.h"

#include <string.h>

#include "base/mem.h"
#include "base/option.h"

#define DRIP_MS 100
#define SEGMENT_MAX 32

static const struct {
    const char *word;
    enum behave_kind kind;
    int64_t min, max, value; /* of the number; max 0 = takes none; value > 0 = may be left out */
} WORDS[] = {
    {"ok", BEHAVE_OK, 0, 0, 0},
    {"slow", BEHAVE_SLOW, 0, 3600000, 0},
    {"fail", BEHAVE_FAIL, 0, 1000000, 0},
    {"status", BEHAVE_STATUS, 200, 599, 0},
    {"ratelimit", BEHAVE_RATELIMIT, 0, 1000000, 0},
    {"hang", BEHAVE_HANG, 0, 0, 0},
    {"reset", BEHAVE_RESET, 0, 0, 0},
    {"drip", BEHAVE_DRIP, 1, 60000, DRIP_MS},
    {"endless", BEHAVE_ENDLESS, 0, 0, 0},
};

/* The segment at the start of path; false when it is too long to be one of ours. */
static bool segment(const char *path, char out[SEGMENT_MAX])
{
    size_t n = strcspn(path, "/");
    if (n >= SEGMENT_MAX) {
        return false;
    }
    memcpy(out, path, n);
    out[n] = '\0';
    return true;
}

static bool parse_number(size_t row, const char *rest, struct behave *out)
{
    char number[SEGMENT_MAX];
    *out = (struct behave){.kind = WORDS[row].kind, .n = WORDS[row].value};
    if (WORDS[row].max == 0) {
        return true;
    }
    if (*rest != '/' || rest[1] == '\0') {
        return WORDS[row].value > 0;
    }
    return segment(rest + 1, number) && option_parse_int(number, WORDS[row].min, WORDS[row].max, &out->n);
}

bool behave_parse(const char *path, struct behave *out)
{
    while (*path != '\0') {
        path += *path == '/' ? 1 : 0;
        char word[SEGMENT_MAX];
        bool short_enough = segment(path, word);
        path += strcspn(path, "/");
        for (size_t i = 0; short_enough && i < ARRAY_SIZE(WORDS); i++) {
            if (strcmp(word, WORDS[i].word) == 0) {
                return parse_number(i, path, out);
            }
        }
    }
    *out = (struct behave){.kind = BEHAVE_OK};
    return true;
}
