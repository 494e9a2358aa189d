/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a batch of outcomes, made by chance, leaves in the tables what they leave one by one. */
#ifndef SLUICE_TESTS_BATCH_WAYS_H
#define SLUICE_TESTS_BATCH_WAYS_H

#include <stdint.h>

struct batch_ways {
    uint32_t rounds; /* each with a seed of its own */
    int outcomes;    /* of a batch */

    void (*begin)(uint32_t round); /* fresh tables */
    void (*add)(uint32_t *seed);   /* an outcome to the batch */
    void (*apply)(void);           /* the batch, which is empty then */
    char *(*state)(void);          /* what the tables hold now; heap */
};

/* Fails the test in each round in which the two differ. */
void batch_ways_agree(const struct batch_ways *w);

#endif
