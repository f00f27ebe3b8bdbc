# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the estimators of `skal.text` tell scikit-learn about their input."""


def text_tags(tags):
    """Tags of an estimator that takes a one-dimensional sequence of str."""
    tags.input_tags.string = True
    tags.input_tags.two_d_array = False
    tags.input_tags.one_d_array = True
    return tags
