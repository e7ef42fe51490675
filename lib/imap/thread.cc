#include "lib/imap/thread.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace postern::imap {
namespace {

constexpr int kRoot = 0;
constexpr int kNone = -1;
// Threads are not deeper: it bounds the search for loops. What would be is its own thread.
constexpr int kMaxDepth = 500;

// Node 0 is the root. A node without a message is a dummy (RFC 5256 3): it stands for one that was
// referred to, or holds messages of one subject together.
struct Node {
    const ThreadMessage* message = nullptr;
    int parent = kNone;
    std::vector<int> children;
};

class Forest {
  public:
    Forest() : nodes_(1) {}

    int add(const ThreadMessage* message) {
        nodes_.push_back({message, kNone, {}});
        return static_cast<int>(nodes_.size()) - 1;
    }
    Node& at(int node) { return nodes_[static_cast<std::size_t>(node)]; }
    const Node& at(int node) const { return nodes_[static_cast<std::size_t>(node)]; }
    std::size_t size() const { return nodes_.size(); }
    bool is_dummy(int node) const { return at(node).message == nullptr; }

    // Would node become its own ancestor?
    bool would_loop(int parent, int node) const {
        if (parent == node) return true;
        for (int up = parent, depth = 0; up != kRoot && up != kNone; up = at(up).parent) {
            if (up == node || ++depth > kMaxDepth) return true;
        }
        return false;
    }
    // The children's lists are made by collect(), when all parents are settled.
    void link(int parent, int node) { at(node).parent = parent; }
    void collect() {
        for (Node& node : nodes_) node.children.clear();
        for (std::size_t i = 1; i < nodes_.size(); ++i)
            at(nodes_[i].parent == kNone ? kRoot : nodes_[i].parent)
                .children.push_back(static_cast<int>(i));
    }
    void append_child(int parent, int node) {
        at(node).parent = parent;
        at(parent).children.push_back(node);
    }

    // A dummy's is that of its first child.
    const ThreadMessage& first_message(int node) const {
        while (is_dummy(node)) node = at(node).children.front();
        return *at(node).message;
    }
    bool is_before(int a, int b) const {
        const ThreadMessage& x = first_message(a);
        const ThreadMessage& y = first_message(b);
        return x.date != y.date ? x.date < y.date : x.number < y.number;
    }
    void sort_children(int node) {
        auto& children = at(node).children;
        std::sort(children.begin(), children.end(),
                  [this](int a, int b) { return is_before(a, b); });
    }

    // Every node before its parent; without recursion, since messages say how deep this is.
    std::vector<int> bottom_up() const {
        std::vector<int> order{kRoot};
        for (std::size_t i = 0; i < order.size(); ++i) {
            const auto& children = at(order[i]).children;
            order.insert(order.end(), children.begin(), children.end());
        }
        std::reverse(order.begin(), order.end());
        return order;
    }
    void sort_all() {
        for (const int node : bottom_up()) sort_children(node);
    }

    std::string format() const;

  private:
    std::vector<Node> nodes_;
};

// "(2 (3)(4))": an only child follows its parent, several are in parentheses (RFC 5256 4).
std::string Forest::format() const {
    struct Step {
        int node;
        bool closes;  // ")" of a group that ends here
        bool in_parentheses;
    };
    std::string out;
    std::vector<Step> todo;
    const auto push_children = [&](int node) {
        const auto& children = at(node).children;
        const bool several = children.size() > 1 || node == kRoot;
        for (auto child = children.rbegin(); child != children.rend(); ++child)
            todo.push_back({*child, false, several});
    };
    push_children(kRoot);
    while (!todo.empty()) {
        const Step step = todo.back();
        todo.pop_back();
        if (step.closes) {
            out += ')';
            continue;
        }
        if (step.in_parentheses) {
            if (!out.empty() && out.back() != '(' && out.back() != ')') out += ' ';
            out += '(';
            todo.push_back({0, true, false});
        }
        if (!is_dummy(step.node)) {
            if (!out.empty() && out.back() != '(') out += ' ';
            out += std::to_string(at(step.node).message->number);
        }
        push_children(step.node);
    }
    return out;
}

// --- ORDEREDSUBJECT: messages of one subject; the oldest is the parent of the others.

std::string by_subject(const std::vector<ThreadMessage>& messages) {
    Forest forest;
    std::map<std::string_view, std::vector<int>> groups;
    for (const ThreadMessage& message : messages)
        groups[message.subject].push_back(forest.add(&message));
    for (auto& [subject, members] : groups) {
        std::sort(members.begin(), members.end(),
                  [&](int a, int b) { return forest.is_before(a, b); });
        for (const int member : members)
            forest.link(member == members.front() ? kRoot : members.front(), member);
    }
    forest.collect();
    forest.sort_all();
    return forest.format();
}

// --- REFERENCES

class ByReferences {
  public:
    std::string run_refs(const std::vector<ThreadMessage>& messages) {
        build(messages);
        forest_.sort_all();
        order_by_youngest();
        return forest_.format();
    }
    std::string run(const std::vector<ThreadMessage>& messages) {
        build(messages);
        for (const int top : forest_.at(kRoot).children) forest_.sort_children(top);
        forest_.sort_children(kRoot);
        group_by_subject();
        forest_.sort_all();
        return forest_.format();
    }

  private:
    // Steps 1 to 3
    void build(const std::vector<ThreadMessage>& messages) {
        for (const ThreadMessage& message : messages) place(message);
        forest_.collect();
        prune();
    }

    // Threads in the order of the youngest message of each.
    void order_by_youngest() {
        using Moment = std::pair<std::int64_t, std::uint32_t>;
        std::unordered_map<int, Moment> youngest;
        for (const int node : forest_.bottom_up()) {
            Moment best{INT64_MIN, 0};
            if (!forest_.is_dummy(node))
                best = {forest_.at(node).message->date, forest_.at(node).message->number};
            for (const int child : forest_.at(node).children)
                best = std::max(best, youngest[child]);
            youngest[node] = best;
        }
        auto& tops = forest_.at(kRoot).children;
        std::sort(tops.begin(), tops.end(),
                  [&](int a, int b) { return youngest[a] < youngest[b]; });
    }

    int node_of(const std::string& id) {
        const auto [at, is_new] = by_id_.try_emplace(id, kNone);
        if (is_new) at->second = forest_.add(nullptr);
        return at->second;
    }

    // Step 1
    void place(const ThreadMessage& message) {
        const int node = claim(message);
        int parent = kNone;
        for (const std::string& id : message.references) {
            const int next = node_of(id);
            // 1.A: a link that is there already is not changed
            if (parent != kNone && forest_.at(next).parent == kNone &&
                !forest_.would_loop(parent, next))
                forest_.link(parent, next);
            parent = next;
        }
        // 1.B: the last reference is the parent, whatever others have said
        forest_.link(kNone, node);
        if (parent != kNone && !forest_.would_loop(parent, node)) forest_.link(parent, node);
    }

    // The message's node. A second message with an id that another has counts as one without.
    int claim(const ThreadMessage& message) {
        if (message.id.empty()) return forest_.add(&message);
        const int node = node_of(message.id);
        if (!forest_.is_dummy(node)) return forest_.add(&message);
        forest_.at(node).message = &message;
        return node;
    }

    // Step 3: dummies go; their children take their place, but below the root only an only child
    // does.
    void prune() {
        for (const int node : forest_.bottom_up()) {
            std::vector<int> kept;
            for (const int child : forest_.at(node).children) {
                auto& below = forest_.at(child).children;
                const bool stays = !forest_.is_dummy(child) || (node == kRoot && below.size() > 1);
                if (stays) {
                    kept.push_back(child);
                    continue;
                }
                for (const int one : below) forest_.at(one).parent = node;
                kept.insert(kept.end(), below.begin(), below.end());
                below.clear();
            }
            forest_.at(node).children = std::move(kept);
        }
    }

    // Step 5
    void group_by_subject() {
        const std::vector<int> tops = std::move(forest_.at(kRoot).children);
        forest_.at(kRoot).children.clear();
        std::map<std::string_view, int> table;
        for (const int top : tops) {  // 5.B
            const ThreadMessage& message = forest_.first_message(top);
            if (message.subject.empty()) continue;
            const auto [at, is_new] = table.try_emplace(message.subject, top);
            if (is_new) continue;
            const bool better = forest_.is_dummy(top) && !forest_.is_dummy(at->second);
            const bool original = forest_.first_message(at->second).is_reply && !message.is_reply;
            if (better || original) at->second = top;
        }
        for (const int top : tops) {  // 5.C
            const ThreadMessage& message = forest_.first_message(top);
            if (placed_.contains(top)) continue;
            const auto at = table.find(message.subject);
            if (at == table.end() || at->second == top)
                forest_.append_child(kRoot, top);
            else
                merge(top, at->second);
        }
    }

    void merge(int node, int& chosen) {
        const bool dummy = forest_.is_dummy(node), chosen_dummy = forest_.is_dummy(chosen);
        if (dummy && chosen_dummy) {
            const std::vector<int> children = std::move(forest_.at(node).children);
            forest_.at(node).children.clear();
            for (const int child : children) forest_.append_child(chosen, child);
        } else if (chosen_dummy || (forest_.first_message(node).is_reply &&
                                    !forest_.first_message(chosen).is_reply)) {
            forest_.append_child(chosen, node);
        } else {
            // Both stand beside each other, below a dummy in the place of the one.
            const int both = forest_.add(nullptr);
            replace_top(chosen, both);
            forest_.append_child(both, chosen);
            forest_.append_child(both, node);
            chosen = both;
        }
    }

    // What is chosen may be below the root already, or come later.
    void replace_top(int old, int fresh) {
        auto& tops = forest_.at(kRoot).children;
        const auto at = std::find(tops.begin(), tops.end(), old);
        forest_.at(fresh).parent = kRoot;
        if (at != tops.end()) {
            *at = fresh;
        } else {
            tops.push_back(fresh);
            placed_.insert(old);  // before its turn has come
        }
    }

    Forest forest_;
    std::unordered_map<std::string, int> by_id_;
    std::set<int> placed_;
};

}  // namespace

std::vector<std::string> message_ids(std::string_view field) {
    std::vector<std::string> out;
    std::string id;
    bool inside = false, quoted = false;
    for (std::size_t i = 0; i < field.size(); ++i) {
        const char c = field[i];
        if (!inside) {
            inside = c == '<';
            id.clear();
        } else if (c == '"') {
            quoted = !quoted;  // RFC 5256 3: <"01KF8JCEOCBS0045PS"@xxx.yyy.com> is the same without
        } else if (quoted && c == '\\' && i + 1 < field.size()) {
            id += field[++i];
        } else if (!quoted && c == '>') {
            if (!id.empty()) out.push_back(id);
            inside = false;
        } else if (quoted || (c != ' ' && c != '\t' && c != '\r' && c != '\n')) {
            id += c;
        }
    }
    if (out.size() > kMaxReferences)
        out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(kMaxReferences));
    return out;
}

std::string thread_messages(ThreadAlgorithm algorithm, std::vector<ThreadMessage> messages) {
    switch (algorithm) {
        case ThreadAlgorithm::ordered_subject: return by_subject(messages);
        case ThreadAlgorithm::refs: return ByReferences().run_refs(messages);
        case ThreadAlgorithm::references: break;
    }
    return ByReferences().run(messages);
}

}  // namespace postern::imap
