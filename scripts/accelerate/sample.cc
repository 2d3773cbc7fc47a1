// The C++ counterpart of sample.c: templates, exceptions, virtual calls, statics.

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};

struct square final : shape {
    double side;
    explicit square(double s) : side(s) {}
    double area() const override { return side * side; }
};

struct failure {
    int code;
};

template <typename T, int N> struct stack {
    T items[N];
    int top = 0;
    void push(T item)
    {
        if (top == N)
            throw failure{N};
        items[top++] = item;
    }
    T pop() { return items[--top]; }
};

extern int use(const shape &);

int guarded(int n)
{
    static const square unit(use(square(1.0)));
    stack<int, 16> numbers;
    auto fill = [&](int from) {
        for (int i = from; i < n; i++)
            numbers.push(i * i % 17);
    };
    try {
        fill(n / 2);
        return numbers.pop() + use(unit);
    } catch (const failure &caught) {
        return -caught.code;
    }
}

double total(const shape *const *shapes, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += shapes[i]->area();
    return sum;
}
