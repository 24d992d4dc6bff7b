"""The study of causes: does Assay name the cause planted in a small service?"""
