"""A Rasa X server for tests: a real socket, and the API of five eras.

    from support.rasa_x import X_2020, Parts, rasa_x

    with rasa_x(tmp_path, era=X_2020, parts=Parts(nlu=NLU, domain=DOMAIN)) as server:
        options = {"url": server.url, "api_token": server.api_token}   # or username and password
        server.add_model("first", archive, tag=server.era.active_tag)
        server.switches.listed_after_calls = 2                         # see `Switches`
        server.switches.fixed_evaluations["first"] = {"f1_score": None}
        ...
        assert server.tags() == {"first": {"production"}}
        assert server.count("upload_model") == 1

The end of the block fails if a request or a reply broke the description of the API
(`description`, `description_data`, `schemas`). A test that means to break it clears
`server.violations`. With `rasa=` (a RasaClient) evaluations and training jobs are the real ones;
the figures are then those on the stored examples, which the model may have been trained on.
With `Parts(generated=100_000)` examples are made up while they are sent.
Faults of the network and of a proxy are in `support.fault_proxy`.

Not served, as no part of this project asks for it: conversations, git repositories, insights,
evaluations of stories, users and roles, and most routes that change training data one by one.
"""

from support.rasa_x.assistant_data import Parts
from support.rasa_x.eras import (
    ENTERPRISE_1,
    ERAS,
    PLATFORM_2018,
    X_2019,
    X_2020,
    X_2021,
    Era,
)
from support.rasa_x.server import RasaXServer, rasa_x
from support.rasa_x.switches import Switches

__all__ = [
    "ENTERPRISE_1",
    "ERAS",
    "PLATFORM_2018",
    "X_2019",
    "X_2020",
    "X_2021",
    "Era",
    "Parts",
    "RasaXServer",
    "Switches",
    "rasa_x",
]
