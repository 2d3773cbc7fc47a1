/* A native and an emulated compiler must compile this to the same object (accelerate.py). It uses layout, scheduling
 * and vectorization, each a different part of the compiler. It includes no header: emulated compilers are slow. */

typedef unsigned long size;

struct node {
    struct node *next;
    double weight;
    unsigned flags : 5;
    char name[11];
};

static const char *const words[] = {"alpha", "beta", "gamma"};
static _Thread_local int depth;
extern int use(void *, size);

double sum(const double *a, const float *b, int n)
{
    double total = 0.0;
    for (int i = 0; i < n; i++)
        total += a[i] * b[i] / 3.0;
    return total;
}

int on_the_stack(int n, const char *text)
{
    char fixed[40];
    char variable[n];
    for (int i = 0; i < n; i++)
        variable[i] = fixed[i % 40] = text[i] ^ 0x5a;
    return use(fixed, sizeof fixed) + use(variable, (size)n);
}

const char *choose(unsigned kind)
{
    switch (kind) {
    case 0: return words[0];
    case 1: return words[2];
    case 2: return "delta";
    case 7: return words[1];
    case 8: return 0;
    case 9: return "epsilon";
    default: return kind & 1 ? "odd" : "even";
    }
}

unsigned long long mix(unsigned long long x, __int128 y)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x = __builtin_bswap64(x) + (unsigned)__builtin_popcountll(x);
    return x % 1000003 + (unsigned long long)(y / 7);
}

int walk(struct node *list, int (*visit)(struct node *))
{
    int seen = 0;
    depth++;
    for (; list; list = list->next) {
        if (list->flags == 3 && list->weight > 1e-3)
            seen += visit(list);
        __atomic_fetch_add(&seen, 1, __ATOMIC_SEQ_CST);
    }
    depth--;
    return seen;
}
