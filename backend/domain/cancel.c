/*
 * The assessment of a cancellation.
 */
#include "backend/domain/cancel.h"

int
cancel_obstacle(const cancel_item_t *items, int n)
{
    for (int i = 0; i < n; i++) {
        bool open = !order_state_final(items[i].state);

        if (items[i].works && (items[i].state == ORDER_COMPLETED ||
                               (open && items[i].committed))) {
            return i;
        }
    }
    return -1;
}
