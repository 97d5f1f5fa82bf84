"""A small assistant of a plant shop, and what its data looked like on a few nights.

`assistant/` is the Rasa project as it is on night 1; the files of `nights/2` and `nights/3` are
copied over it on those nights. On night 3 a batch of chats carries the wrong intent: compare
`nights/2/data/chats/track_order.yml` with the file of that name in `nights/3`.
"""
