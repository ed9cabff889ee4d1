"""Trial CSVs in the forms of model-vs-human and texture-vs-shape, with invented trials."""

HEADER = "subj,Session,trial,rt,object_response,category,condition,imagename"

PEOPLE = {
    "high-pass_subject-01_session_1.csv": f"""{HEADER}
subject-01,1,1,1.33161187171936,clock,boat,0.7,0001_hp_s01_0.7_boat_10_n03662601_10.png
subject-01,1,2,NaN,na,knife,inf,0002_hp_s01_inf_knife_10_n03041632_11.png
subject-01,1,3,0.5,knife,knife,inf,0003_hp_s01_inf_knife_10_n03041632_12.png
""",
    "high-pass_subject-02_session_1.csv": f"""{HEADER}
subject-02,1,1,1.50014400482178,knife,knife,inf,0001_hp_s02_inf_knife_10_n03041632_11.png
subject-02,1,2,0.9,boat,boat,0.7,0002_hp_s02_0.7_boat_10_n03662601_10.png
subject-02,1,3,0.0,bear,knife,inf,0003_hp_s02_inf_knife_10_n03041632_12.png
""",
    "eidolonI_subject-01_session_1.csv": f"""{HEADER}
subject-01,1,1,0.97392201423645,airplane,bird,128-10-10,0001_eid_s01_128-10-10_bird_10_n01582220_3.png
""",
    "edge_experiment_subject-01_session_1.csv": f"""{HEADER.lower()}
subject-01,1,1,0.868942022323608,knife,oven,0,0001_edg_s01_0_oven_00_oven10.png
""",
    "edge_experiment_subject-01_session_2.csv": f"""{HEADER.lower()}
subject-01,2,1,0.868942022323608,oven,oven,0,0001_edg_s01_0_oven_00_oven11.png
""",
}

NETWORKS = {
    "high-pass_resnet50_session-1.csv": f"""{HEADER}
resnet50,1,1,NaN,clock,boat,0.7,0001_hp_dnn_0.7_boat_10_n03662601_10.png
resnet50,1,2,NaN,knife,knife,inf,0002_hp_dnn_inf_knife_10_n03041632_11.png
""",
    "cue-conflict_resnet50_session-1.csv": f"""{HEADER}
resnet50,1,1,NaN,oven,truck,NaN,truck3-oven2.png
""",
}
