/* SPDX-License-Identifier: Apache-2.0 */
/* A set of strings with a ceiling; each gets the next number from 0. */
#ifndef SLUICE_RECEIVER_NAMES_H
#define SLUICE_RECEIVER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_NONE SIZE_MAX

struct names {
    char **names; /* by number */
    size_t n, max;
    size_t cap;     /* of names */
    uint32_t *slot; /* number + 1, 0 = free */
    size_t slots;   /* a power of two, more than twice n */
};

void names_init(struct names *set, size_t max);
void names_done(struct names *set);
void names_clear(struct names *set);
/* The string's number, a new one when it was not there; NAMES_NONE when the set is full. */
size_t names_add(struct names *set, const char *name);

#endif
